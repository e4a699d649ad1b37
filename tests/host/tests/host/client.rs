//! A client that sends exactly what it is told.

use ::http::{Request, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer that has arrived as a whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

pub(crate) async fn get(url: &str) -> Answer {
    send(request("GET", url, "")).await.unwrap()
}

/// As [`get`], for a task of its own.
pub(crate) async fn get_owned(url: String) -> Answer {
    get(&url).await
}

pub(crate) async fn post(url: &str, body: &str) -> Answer {
    send(request("POST", url, body)).await.unwrap()
}

pub(crate) fn request(method: &str, url: &str, body: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(url)
        .header("host", url.parse::<Uri>().unwrap().authority().unwrap().as_str())
        .body(Full::from(body.to_owned()))
        .unwrap()
}

/// Sends on a connection of its own; fails when it closes before the answer is whole.
pub(crate) async fn send(mut request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
    let uri = request.uri().clone();
    let stream = TcpStream::connect(uri.authority().unwrap().as_str()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    *request.uri_mut() = uri.path_and_query().unwrap().as_str().parse().unwrap();
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: head.status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
}

/// A connection of HTTP/2 that begins as such.
pub(crate) async fn http_2(address: std::net::SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends one of several requests on such a connection.
pub(crate) async fn send_on(
    sender: &SendRequest<Full<Bytes>>,
    mut request: Request<Full<Bytes>>,
) -> Result<Answer, hyper::Error> {
    request.headers_mut().remove("host");
    let (head, body) = sender.clone().send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: head.status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
}

/// Sends bytes as they are and reads until the other side closes.
pub(crate) async fn raw(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The other side may close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
