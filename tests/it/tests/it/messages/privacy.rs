//! The providers are for the router alone.

use bytes::Bytes;
use http::{Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{PAID_KEY, TestApp};

const CALL: &[u8] = b"{\"message\":\"hello\"}";

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_to_a_provider_from_outside() {
    let app = TestApp::start().await;
    for path in ["/process", "/calls", "/free-provider/process", "/paid-provider/calls", "/internal/settings"]
    {
        for method in [Method::GET, Method::POST] {
            assert_eq!(app.call(0, method, path).body(CALL).await.status, 404, "{path}");
        }
    }
    let books = app.free_provider().books().await;
    assert_eq!((books.taken_total, books.refused_total), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_internal_name_of_a_provider_means_nothing_outside() {
    let app = TestApp::start().await;
    for provider in ["free-provider", "paid-provider"] {
        let named = app.post("/process").header("host", &format!("{provider}.spin.internal")).body(CALL);
        // Our own host says 400, a real Spin 404 or nothing.
        let named = named.attempt().await;
        assert!(named.is_none_or(|answer| matches!(answer.status, 400 | 404)), "{provider}");
        let request = format!(
            "POST http://{provider}.spin.internal/process HTTP/1.1\r\nhost: {provider}.spin.internal\r\n\
             connection: close\r\ncontent-length: 0\r\n\r\n"
        );
        let answer = raw(&app, &request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 40"), "{provider}: {answer}");
    }
    let books = app.free_provider().books().await;
    assert_eq!((books.taken_total, books.refused_total), (0, 0));
}

async fn raw(app: &TestApp, request: &str) -> String {
    let mut stream = TcpStream::connect(app.addresses()[0]).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paid_provider_refuses_calls_without_the_routers_credential() {
    // With a key the operator set, and with the one the application makes for itself.
    for key in [PAID_KEY, ""] {
        let app = TestApp::with("paid_provider_key", key).start().await;
        for authorization in [None, Some(""), Some("Bearer "), Some("Bearer x"), Some(PAID_KEY)] {
            for (method, path) in [(Method::POST, "/process"), (Method::GET, "/calls")] {
                let mut call =
                    Request::builder().method(method).uri(path).header("content-type", "application/json");
                if let Some(value) = authorization {
                    call = call.header("authorization", value);
                }
                let call = call.body(Bytes::from_static(CALL)).unwrap();
                let answer = app.host().call("paid-provider", call).await.unwrap();
                assert_eq!(answer.status(), 401, "{path} with {authorization:?}");
                assert!(answer.headers()["www-authenticate"].to_str().unwrap().contains("paid-provider"));
            }
        }
        if key == PAID_KEY {
            let books = app.paid_provider().books().await;
            assert_eq!((books.metered_total, books.refused_total), (0, 10));
        }
    }
}
