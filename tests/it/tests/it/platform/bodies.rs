//! A body that is not what a route takes is refused with what is wrong, and goes nowhere.

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::harness::{Answer, Call, TestApp};

const JSON: &str = "application/json";

/// A body no route takes, and the answer to it.
struct Unreadable {
    what: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
    status: u16,
    problem: &'static str,
    /// Words of the problem's detail.
    detail: &'static str,
}

impl Unreadable {
    fn malformed(what: &'static str, body: impl Into<Vec<u8>>, detail: &'static str) -> Self {
        Self { what, content_type: JSON, body: body.into(), status: 400, problem: "malformed-body", detail }
    }

    fn no_object(body: &'static str) -> Self {
        let detail = "must be a JSON object";
        Self { status: 422, problem: "invalid-fields", ..Self::malformed(body, body, detail) }
    }

    fn unsupported(content_type: &'static str, body: &'static str) -> Self {
        let malformed = Self::malformed(content_type, body, JSON);
        Self { content_type, status: 415, problem: "unsupported-content-type", ..malformed }
    }
}

fn unreadable() -> Vec<Unreadable> {
    let nested = |open: &str| format!("{{\"message\":{}", open.repeat(3_000));
    vec![
        Unreadable::malformed("empty", "", "empty"),
        Unreadable { content_type: "", ..Unreadable::malformed("empty, of no type", "", "empty") },
        Unreadable::malformed("not UTF-8", b"{\"message\":\"\xff\"}", "offset 12"),
        Unreadable::malformed("half a character", b"{\"message\":\"\xd1", "not UTF-8"),
        Unreadable::malformed("not JSON", "message=hello", "line 1 column 1"),
        Unreadable::malformed("cut", "{\"message\":\"hel", "line 1 column 15"),
        Unreadable::malformed("followed by more", "{\"message\":\"a\"} x", "trailing"),
        Unreadable::malformed("half a surrogate", "{\"message\":\"\\ud800\"}", "line 1"),
        Unreadable::malformed("deep arrays", nested("["), "recursion limit"),
        Unreadable::malformed("deep objects", nested("{\"a\":"), "recursion limit"),
        Unreadable::no_object("[\"hello\"]"),
        Unreadable::no_object("\"hello\""),
        Unreadable::no_object("null"),
        Unreadable::unsupported("text/plain", "{\"message\":\"hello\"}"),
        Unreadable::unsupported("application/x-www-form-urlencoded", "message=hello"),
    ]
}

/// Sends each unreadable body with the call that `call` makes.
async fn refuses_unreadable(call: impl Fn() -> Call) {
    for Unreadable { what, content_type, body, status, problem, detail } in unreadable() {
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
        let body = json!({ "email": "ada@example.com", "password": "x".repeat(300_000) });
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
    // A form is a login of the original message handler.
    for path in ["/auth/register", "/auth/refresh"] {
        refuses_unreadable(|| app.post(path)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_credential_field_is_named_at_once() {
    let app = TestApp::start().await;
    let email = "must be an e-mail address of at most 254 bytes, such as ada@example.com";
    let either = "must be an e-mail address or a user name";
    for (path, name, rule) in [("/auth/register", "email", email), ("/auth/login", "username", either)] {
        let errors = field_errors(&app.post(path).json(&json!({})).await);
        let required = |name: &str| (format!("/{name}"), "is required".to_owned());
        assert_eq!(errors, [required(name), required("password")], "{path}");
        let errors = field_errors(&app.post(path).json(&json!({ name: "a da", "password": 7 })).await);
        assert_eq!(errors[0], (format!("/{name}"), rule.to_owned()), "{path}");
        assert_eq!(errors[1], ("/password".to_owned(), "must be a string".to_owned()), "{path}");
    }
    let short = app.post("/auth/register").json(&json!({ "email": "ada@example.com", "password": "short" }));
    let errors = field_errors(&short.await);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].0, "/password");
    let errors = field_errors(&app.post("/auth/refresh").json(&json!({ "refresh_token": 7 })).await);
    assert_eq!(errors, [("/refresh_token".to_owned(), "must be a string".to_owned())]);
}
