//! HTTP from outside: HTTP/1.1, or HTTP/2 for clients that speak it from the start, as on Spin (RFC 9113, section 3.3: prior
//! knowledge).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::Error;

use super::authority::{self, BadHost};
use super::guest::answer;
use super::headers::Arrival;
use super::{Body, full, plain};
use crate::routes::RESERVED;
use crate::services::Services;

/// How long a connection may be silent, or take to send a request's head.
const SILENCE: Duration = Duration::from_secs(60);

/// Accepts connections until the host stops.
pub(crate) async fn serve(listener: TcpListener, services: Arc<Services>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = services.tasks.stopping() => return,
        };
        match accepted {
            Ok((stream, client)) => {
                let connection = connection(stream, client, Arc::clone(&services));
                services.tasks.spawn(connection);
            }
            // Out of file descriptors, most likely: some will come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(stream: TcpStream, client: SocketAddr, services: Arc<Services>) {
    // An answer in several pieces must not wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Ok(client) = HeaderValue::try_from(client.to_string()) else {
        return;
    };
    let service = service_fn(|request| {
        let services = Arc::clone(&services);
        let client = client.clone();
        async move { Ok::<_, Infallible>(respond(&services, request, client).await) }
    });
    let version = tokio::select! {
        version = tokio::time::timeout(SILENCE, version(&stream)) => version,
        () = services.tasks.stopping() => return,
    };
    let Ok(Ok(version)) = version else {
        return;
    };
    let head = services.limits.request_head;
    // A client that breaks the protocol or leaves is its own affair.
    if version == Version::HTTP_2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(SILENCE)
            .max_header_list_size(head.try_into().unwrap_or(u32::MAX))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => {}
            () = services.tasks.stopping() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(SILENCE)
            .max_buf_size(head)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => {}
            () = services.tasks.stopping() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }
}

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4). No request of HTTP/1.1 begins so.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version that the client speaks, by the first bytes that it sends. They stay where they are.
async fn version(stream: &TcpStream) -> std::io::Result<Version> {
    let mut first = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 || !PREFACE.starts_with(first.get(..length).unwrap_or_default()) {
            return Ok(Version::HTTP_11);
        }
        if length == PREFACE.len() {
            return Ok(Version::HTTP_2);
        }
        // The rest is on its way. Nothing says when more is there than what can be seen already.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn respond(
    services: &Arc<Services>,
    request: Request<Incoming>,
    client: HeaderValue,
) -> Response<Body> {
    let path = request.uri().path();
    if let Some(own) = path.strip_prefix(RESERVED) {
        return match own {
            "health" => Response::new(full("OK")),
            _ => not_found(),
        };
    }
    let path = path.to_owned();
    let uri = match authority::absolute(&request) {
        Ok(uri) => uri,
        Err(BadHost) => return plain(StatusCode::BAD_REQUEST, "one valid Host header is required"),
    };
    let Some(route) = services.app.matcher().find(&path) else {
        return not_found();
    };
    let Some(component) = services.app.component(route.component) else {
        return not_found();
    };
    let limit = services.limits.request_body;
    if request.body().size_hint().lower() > limit {
        return too_large();
    }
    let (mut request, exceeded) = limited(request, limit);
    // It concerns this connection only, and would be in the way when a component forwards a request.
    request.headers_mut().remove(header::CONNECTION);
    // HTTP/2 has it in the target alone. Further in there is one place for it.
    if let Some(host) = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    *request.uri_mut() = uri;
    Arrival {
        pattern: route.pattern,
        prefix: route.prefix(),
        rest: &route.rest,
        names: &route.names,
        client,
    }
    .write(&mut request);
    let response = answer(services, component, request).await;
    if exceeded.load(Ordering::Relaxed) {
        return too_large();
    }
    response
}

fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "no route")
}

fn too_large() -> Response<Body> {
    let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    // The rest of the body is not read, so the connection cannot be used again.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body that fails once it is longer than it may be, and remembers that it did.
struct Limited {
    body: Incoming,
    left: u64,
    exceeded: Arc<AtomicBool>,
}

fn limited(request: Request<Incoming>, limit: u64) -> (Request<Body>, Arc<AtomicBool>) {
    let exceeded = Arc::new(AtomicBool::new(false));
    let request =
        request.map(|body| Limited { body, left: limit, exceeded: Arc::clone(&exceeded) }.boxed_unsync());
    (request, exceeded)
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let length = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
            _ => 0,
        };
        match self.left.checked_sub(length as u64) {
            Some(left) => self.left = left,
            None => {
                self.exceeded.store(true, Ordering::Relaxed);
                return Poll::Ready(Some(Err(Error::HttpRequestBodySize(None))));
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
