//! Providers of any other kind, called and read as the variables say.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, Uri};
use http_body_util::{BodyExt, Full};

use crate::harness::TestApp;
use crate::mock_providers::Server;

type Calls = Arc<Mutex<Vec<(Method, Uri, HeaderMap, String)>>>;

/// A server that writes down each call and responds so.
async fn start(status: u16, body: &'static str) -> (Server, Calls) {
    let calls = Calls::default();
    let own = Arc::clone(&calls);
    let server = Server::of_requests(move |request| {
        let calls = Arc::clone(&own);
        async move {
            let (head, sent) = request.into_parts();
            let sent = sent.collect().await.ok()?.to_bytes().to_vec();
            let call = (head.method, head.uri, head.headers, String::from_utf8(sent).unwrap());
            calls.lock().unwrap().push(call);
            Response::builder().status(status).body(Full::new(Bytes::from_static(body.as_bytes()))).ok()
        }
    })
    .await;
    (server, calls)
}

fn only(calls: &Calls) -> (Method, Uri, HeaderMap, String) {
    let mut calls = std::mem::take(&mut *calls.lock().unwrap());
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_header_fields_and_a_credential_go_where_the_variables_say() {
    let (server, calls) = start(201, r#"{"data":[{"text":"bonjour"}]}"#).await;
    let app = TestApp::with("free_provider_origin", format!("http://{}", server.address))
        .with("free_provider_path", "PUT /v2/translate?to=fr")
        .with("free_provider_template", r#"{"q":["{message}"],"model":"{model}","options":{"formal":true}}"#)
        .with("free_provider_model", "small")
        .with("free_provider_headers", r#"{"x-team":"blue"}"#)
        .with("free_provider_key", "k-1")
        .with("free_provider_key_in", "header:x-api-key")
        .with("free_provider_success", "201")
        .with("free_provider_response_pointer", "/data/0/text")
        .start()
        .await;
    let ada = app.user("ada").await;
    assert_eq!(ada.send("good \"day\"").await.expect(200)["response"], "bonjour");
    let (method, uri, headers, body) = only(&calls);
    assert_eq!((method, uri.to_string().as_str()), (Method::PUT, "/v2/translate?to=fr"));
    assert_eq!(
        (&headers["x-team"], &headers["x-api-key"]),
        (&"blue".parse().unwrap(), &"k-1".parse().unwrap())
    );
    assert!(!headers.contains_key("authorization"));
    assert_eq!(body, r#"{"model":"small","options":{"formal":true},"q":["good \"day\""]}"#);
    assert!(!app.log().contains("k-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_go_into_the_query_and_the_whole_text_may_be_the_result() {
    let (server, calls) = start(200, "олеh\n").await;
    let app = TestApp::with("free_provider_origin", format!("http://{}", server.address))
        .with("free_provider_path", "GET /reverse?text={message}")
        .with("free_provider_key", "k&1")
        .with("free_provider_key_in", "query:key")
        .with("free_provider_response_pointer", "text")
        .start()
        .await;
    let ada = app.user("ada").await;
    assert_eq!(ada.send("hело & co").await.expect(200)["response"], "олеh\n");
    let (method, uri, headers, body) = only(&calls);
    assert_eq!((method, body.as_str()), (Method::GET, ""));
    assert_eq!(uri.to_string(), "/reverse?text=h%D0%B5%D0%BB%D0%BE%20%26%20co&key=k%261");
    assert!(!headers.contains_key("authorization"));
    assert!(!app.log().contains("k&1") && !app.log().contains("k%261"));

    // One that no address has room for is not sent, and is nobody else's concern.
    ada.send(&"x".repeat(65_536)).await.problem(422, "message-refused");
    assert!(calls.lock().unwrap().is_empty());
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_not_among_those_of_success_has_no_result() {
    let (server, _calls) = start(202, r#"{"response":"later"}"#).await;
    let app = TestApp::with("free_provider_origin", format!("http://{}", server.address))
        .with("free_provider_success", "200 201")
        .start()
        .await;
    let ada = app.user("ada").await;
    let problem = ada.send("hello").await.problem(502, "free-provider-failed");
    assert_eq!(problem["providers"][0]["failure"], "bad_status");
    assert_eq!(problem["providers"][0]["status"], 202);
}
