//! Outbound calls that leave the process.
//!
//! Every call has a connection of its own. The time limits are the component's (`request-options`),
//! each ten minutes when it sets none, as on Spin.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions};

use super::Body;

const UNLIMITED: Duration = Duration::from_secs(600);

/// An answer, and the work that remains on its connection.
pub(crate) type Sent = (Response<Body>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// Sends a request and waits for the head of the answer.
pub(crate) async fn send(request: Request<Body>, options: Option<RequestOptions>) -> Result<Sent, Error> {
    if request.uri().scheme() == Some(&Scheme::HTTPS) {
        let (response, rest) = wasmtime_wasi_http::default_send_request(request, options).await?;
        return Ok((response.map(BodyExt::boxed_unsync), Box::new(rest)));
    }
    let limit =
        |of: fn(&RequestOptions) -> Option<Duration>| options.as_ref().and_then(of).unwrap_or(UNLIMITED);
    let connect_limit = limit(|options| options.connect_timeout);
    let head_limit = limit(|options| options.first_byte_timeout);
    let pause_limit = limit(|options| options.between_bytes_timeout);

    let stream =
        timeout(connect_limit, connect(request.uri())).await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Aborted when the answer is dropped with this handle inside.
    let connection = wasmtime_wasi::runtime::spawn(connection);
    let response = timeout(head_limit, sender.send_request(relative(request)?))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)??;
    let response =
        response.map(|body| Paced { body, pause_limit, pause: Box::pin(sleep(pause_limit)) }.boxed_unsync());
    let rest = async move { connection.await.map_err(Error::from) };
    Ok((response, Box::new(rest)))
}

async fn connect(uri: &Uri) -> Result<TcpStream, Error> {
    let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(80);
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None })?;
    let addresses: Vec<_> = addresses.collect();
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(Error::Connect)?;
    // A body written after its head must not wait for the server's acknowledgement.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// A request line names the path only.
fn relative(mut request: Request<Body>) -> Result<Request<Body>, Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    Ok(request)
}

/// A body that fails when nothing comes for too long.
struct Paced {
    body: Incoming,
    pause_limit: Duration,
    pause: Pin<Box<Sleep>>,
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                let next = Instant::now() + self.pause_limit;
                self.pause.as_mut().reset(next);
                Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
            }
            Poll::Pending => {
                self.pause.as_mut().poll(context).map(|()| Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
