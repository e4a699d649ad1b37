//! HTTP/1.1 for a provider: a message in, a reply out.

use std::future::Future;
use std::io::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a provider answers.
pub(crate) type Reply = Response<Full<Bytes>>;

/// A server on a loopback port. Dropped, it ends, with all its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _serving: JoinSet<()>,
}

/// A call to process a message.
pub(super) struct Called {
    /// The message's id: `x-request-id`, and the same in `idempotency-key`.
    pub(super) id: String,
    pub(super) message: String,
    pub(super) headers: HeaderMap,
}

impl Server {
    /// Starts a server that has `handle` answer each call; none closes the connection.
    pub(super) async fn start<F>(handle: impl Fn(Called) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Reply>> + Send + 'static,
    {
        Self::of_requests(move |request| {
            let handle = handle.clone();
            async move {
                match read(request).await {
                    Some(called) => handle(called).await,
                    None => Some(empty(400)),
                }
            }
        })
        .await
    }

    /// The same for requests of any kind.
    pub(crate) async fn of_requests<F>(
        handle: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<Reply>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // Its connections end with this task.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (stream, _) = accepted.unwrap();
                        connections.spawn(serve(stream, handle.clone()));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, _serving: serving }
    }
}

async fn serve<F>(stream: TcpStream, handle: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = Option<Reply>>,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(async |request| handle(request).await.ok_or_else(|| Error::other("broken off")));
    // A caller who leaves is no failure of the server.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn read(request: Request<Incoming>) -> Option<Called> {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let id = header("x-request-id").filter(|id| header("idempotency-key") == Some(*id))?.to_owned();
    let body: Value = serde_json::from_slice(&body.collect().await.ok()?.to_bytes()).ok()?;
    let message = body["message"].as_str()?.to_owned();
    Some(Called { id, message, headers: head.headers })
}

/// The result of a message: its letters in reverse order.
pub(super) fn processed(message: &str) -> Reply {
    let result: String = message.chars().rev().collect();
    let mut reply = Response::new(Full::from(json!({ "response": result }).to_string()));
    reply.headers_mut().insert("content-type", "application/json".parse().unwrap());
    reply
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply
}
