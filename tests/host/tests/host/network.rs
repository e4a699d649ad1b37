//! Calls that leave the process.

use std::convert::Infallible;
use std::net::SocketAddr;

use ::http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{host, refused, said};

/// A server that answers with the path and the host it was asked for.
async fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let respond = service_fn(|request: Request<Incoming>| async move {
                let host = request.headers()["host"].to_str().unwrap();
                let answer = format!("{} at {host}", request.uri());
                Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from(answer)))
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), respond));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_address_is_called() {
    let host = host().await;
    let address = service().await;
    let answer = said(&host, "call/body", &format!("http://{address}/a/b?c=d")).await;
    assert_eq!(answer, format!("/a/b?c=d at {address}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_is_not() {
    let host = host().await;
    let port = service().await.port();
    let error = refused(&host, "call/body", &format!("http://localhost:{port}/")).await;
    assert!(error.contains("HttpRequestDenied"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_may_come_from_a_variable() {
    let host = host().await;
    let port = service().await.port();
    host.set_variable("extra_host", format!("http://localhost:{port}")).unwrap();
    let answer = said(&host, "call/body", &format!("http://localhost:{port}/")).await;
    assert_eq!(answer, format!("/ at localhost:{port}"));
    let refusal = host.set_variable("extra_host", "http://localhost/path").unwrap_err();
    assert!(format!("{refusal:#}").contains("path"), "{refusal:#}");
    said(&host, "call/body", &format!("http://localhost:{port}/")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_and_a_cut_connection_are_errors() {
    let host = host().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}/");
    let cutting = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let error = refused(&host, "call/body", &url).await;
    assert!(error.contains("HttpProtocolError"), "{error}");
    cutting.await.unwrap();
    let error = refused(&host, "call/body", &url).await;
    assert!(error.contains("ConnectionRefused"), "{error}");
}
