//! A body that is not what a route takes is refused with what is wrong, and goes nowhere.

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::TestApp;
use super::harness::{Answer, Call};

const JSON: &str = "application/json";

/// Bodies no route takes: what is wrong, the content type, the body, and the status, the problem and words of
/// the detail that answer it.
fn unreadable() -> Vec<(&'static str, &'static str, Vec<u8>, u16, &'static str, &'static str)> {
    let nested = |open: &str| format!("{{\"message\":{}", open.repeat(3_000)).into_bytes();
    vec![
        ("empty", JSON, vec![], 400, "malformed-body", "empty"),
        ("empty, untyped", "", vec![], 400, "malformed-body", "empty"),
        ("not UTF-8", JSON, b"{\"message\":\"\xff\"}".to_vec(), 400, "malformed-body", "offset 12"),
        ("half a character", JSON, b"{\"message\":\"\xd1".to_vec(), 400, "malformed-body", "not UTF-8"),
        ("not JSON", JSON, b"message=hello".to_vec(), 400, "malformed-body", "line 1 column 1"),
        ("cut", JSON, b"{\"message\":\"hel".to_vec(), 400, "malformed-body", "line 1 column 15"),
        ("followed by more", JSON, b"{\"message\":\"a\"} x".to_vec(), 400, "malformed-body", "trailing"),
        ("half a surrogate", JSON, b"{\"message\":\"\\ud800\"}".to_vec(), 400, "malformed-body", "line 1"),
        ("deep arrays", JSON, nested("["), 400, "malformed-body", "recursion limit"),
        ("deep objects", JSON, nested("{\"a\":"), 400, "malformed-body", "recursion limit"),
        ("an array", JSON, b"[\"hello\"]".to_vec(), 422, "invalid-fields", "must be a JSON object"),
        ("a string", JSON, b"\"hello\"".to_vec(), 422, "invalid-fields", "must be a JSON object"),
        ("null", JSON, b"null".to_vec(), 422, "invalid-fields", "must be a JSON object"),
        ("text", "text/plain", b"{\"message\":\"hello\"}".to_vec(), 415, "unsupported-content-type", JSON),
        (
            "a form",
            "application/x-www-form-urlencoded",
            b"message=hello".to_vec(),
            415,
            "unsupported-content-type",
            JSON,
        ),
    ]
}

/// Sends each unreadable body with the call that `call` makes.
async fn refuses_unreadable(call: impl Fn() -> Call) {
    for (what, content_type, body, status, problem, detail) in unreadable() {
        let mut call = call().body(body);
        if !content_type.is_empty() {
            call = call.header("content-type", content_type);
        }
        let answer = call.await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        let problem = answer.problem(status, problem);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{what}: {problem}");
    }
}

fn field_errors(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.problem(422, "invalid-fields");
    let errors = problem["errors"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    errors.map(|error| (text(&error["pointer"]), text(&error["rule"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_refused_and_sent_nowhere() {
    let app = TestApp::start().await;
    let ada = app.paying_user("ada").await;
    refuses_unreadable(|| ada.call(Method::POST, "/messages")).await;
    assert!(app.provider_calls().is_empty());
    assert_eq!(ada.quota().await["used"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_wrong_kind_is_refused_with_its_field() {
    let app = TestApp::start().await;
    let ada = app.paying_user("ada").await;
    let length = "must be 1 to 65536 bytes of UTF-8; it has 0";
    for (body, rule) in [
        (json!({}), "is required"),
        (json!({ "Message": "hello" }), "is required"),
        (json!({ "message": null }), "must be a string"),
        (json!({ "message": 7 }), "must be a string"),
        (json!({ "message": ["hello"] }), "must be a string"),
        (json!({ "message": { "text": "hello" } }), "must be a string"),
        (json!({ "message": "" }), length),
    ] {
        let answer = ada.call(Method::POST, "/messages").json(&body).await;
        assert_eq!(field_errors(&answer), [("/message".to_owned(), rule.to_owned())], "{body}");
    }
    assert!(app.provider_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_however_it_comes() {
    let app = TestApp::start().await;
    let ada = app.paying_user("ada").await;
    let large = Bytes::from(format!("{{\"message\":\"{}\"}}", "x".repeat(500_000)));
    let declared = ada.call(Method::POST, "/messages").header("content-type", JSON).body(large.clone());
    let problem = declared.await.problem(413, "body-too-large");
    assert!(problem["detail"].as_str().unwrap().contains("394240 bytes"), "{problem}");

    let pieces = large.chunks(16 * 1024).map(Bytes::copy_from_slice).collect();
    let chunked = ada.call(Method::POST, "/messages").header("content-type", JSON).chunked(pieces);
    chunked.await.problem(413, "body-too-large");

    for path in ["/auth/register", "/auth/login"] {
        let body = json!({ "email": "ada@example.com", "password": "x".repeat(20_000) });
        app.post(path).json(&body).await.problem(413, "body-too-large");
    }
    assert!(app.provider_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_100_000_brackets_harms_nobody() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let brackets = "[".repeat(100_000);
    let nested = ada.call(Method::POST, "/messages").header("content-type", JSON).body(brackets);
    let problem = nested.await.problem(400, "malformed-body");
    assert!(problem["detail"].as_str().unwrap().contains("recursion limit"), "{problem}");
    assert!(app.provider_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_come_in_pieces_of_unknown_length() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let pieces = ["{\"mess", "age\":\"he", "llo\"}"].map(Bytes::from).to_vec();
    let chunked = ada.call(Method::POST, "/messages").header("content-type", JSON).chunked(pieces);
    assert_eq!(chunked.await.expect(200)["response"], "olleh");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_cannot_be_read_are_refused() {
    let app = TestApp::start().await;
    for path in ["/auth/register", "/auth/login", "/auth/refresh"] {
        refuses_unreadable(|| app.post(path)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_credential_field_is_named_at_once() {
    let app = TestApp::start().await;
    let email = "must be an e-mail address of at most 254 bytes, such as ada@example.com";
    for path in ["/auth/register", "/auth/login"] {
        let errors = field_errors(&app.post(path).json(&json!({})).await);
        let required = |pointer: &str| (pointer.to_owned(), "is required".to_owned());
        assert_eq!(errors, [required("/email"), required("/password")], "{path}");
        let errors = field_errors(&app.post(path).json(&json!({ "email": "ada", "password": 7 })).await);
        assert_eq!(errors[0], ("/email".to_owned(), email.to_owned()), "{path}");
        assert_eq!(errors[1], ("/password".to_owned(), "must be a string".to_owned()), "{path}");
    }
    let short = app.post("/auth/register").json(&json!({ "email": "ada@example.com", "password": "short" }));
    let errors = field_errors(&short.await);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].0, "/password");
    let errors = field_errors(&app.post("/auth/refresh").json(&json!({ "refresh_token": 7 })).await);
    assert_eq!(errors, [("/refresh_token".to_owned(), "must be a string".to_owned())]);
}
