//! A wrong variable stops the component it is for: clients see that and no more, the operator sees which.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::json;

use crate::harness::TestApp;

/// The router's check of its settings, as the run command asks for it.
async fn checked(app: &TestApp) -> (u16, String) {
    let request = Request::get("/internal/settings").body(Bytes::new()).unwrap();
    let answer = app.host().call("router", request).await.unwrap();
    (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_defaults_are_right() {
    let app = TestApp::start().await;
    assert_eq!(checked(&app).await, (200, r#"{"settings":"right"}"#.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_variable_is_named_to_the_operator_only() {
    for (name, value) in [
        ("free_limit", "0"),
        ("free_limit", "ten"),
        ("free_window_seconds", "0"),
        ("free_window_seconds", "5"),
        ("free_window_model", "sliding"),
        ("free_clock_skew_ms", "-1"),
        ("free_provider_timeout_ms", "60000"),
        ("free_provider_path", "process"),
        ("paid_provider_timeout_ms", ""),
        ("paid_provider_response_pointer", "response"),
        ("free_provider_preset", "chatgpt"),
        ("paid_provider_model", "a model"),
        ("free_provider_template", r#"{"text":{message}}"#),
        ("paid_provider_headers", "x-team: blue"),
        ("free_provider_key_in", "cookie"),
        ("paid_provider_success", "2xx"),
    ] {
        let app = TestApp::with(name, value).start().await;
        let ada = app.user("ada").await;
        for answer in [ada.send("hello").await, ada.call(Method::GET, "/messages/quota").await] {
            let problem = answer.problem(500, "misconfigured");
            assert_eq!(
                problem,
                json!({
                    "type": "urn:octo:problem:misconfigured",
                    "title": "Octo is not set up right",
                    "status": 500,
                    "detail": "A variable of this application is wrong. The log names it.",
                })
            );
        }
        assert!(app.provider_calls().is_empty(), "{name}");
        assert!(app.log().contains(&format!("the variable `{name}`")), "{name}: {}", app.log());
        let (status, problem) = checked(&app).await;
        assert!(status == 500 && problem.contains(name), "{name}={value}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_variable_of_sign_on_is_named_to_the_operator_only() {
    for (name, value) in [
        ("bootstrap_secret", "too short"),
        ("signing_key", "not a key"),
        ("access_token_seconds", "1"),
        ("session_seconds", "soon"),
    ] {
        let app = TestApp::with(name, value).start().await;
        let answer = app.register("ada@example.com").await;
        answer.problem(500, "misconfigured");
        assert!(!answer.text().contains(name), "{}", answer.text());
        assert!(app.log().contains(&format!("the variable `{name}`")), "{name}: {}", app.log());
    }
    // A secret is not repeated, not even in the log.
    let app = TestApp::with("bootstrap_secret", "too short").start().await;
    app.register("ada@example.com").await.problem(500, "misconfigured");
    assert!(!app.log().contains("too short"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_variable_of_the_database_is_named_to_the_operator_only() {
    for (name, value) in [
        ("database_url", "redis://127.0.0.1:9"),
        ("database_name", ""),
        ("database_user", ""),
        ("database_tls", "perhaps"),
    ] {
        let app = TestApp::with("database_url", "postgres://127.0.0.1:9").with(name, value).start().await;
        let answer = app.register("ada@example.com").await;
        answer.problem(500, "misconfigured");
        assert!(!answer.text().contains(name), "{}", answer.text());
        assert!(app.log().contains(&format!("the variable `{name}`")), "{name}: {}", app.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_variable_can_be_mended_while_octo_runs() {
    let app = TestApp::with("free_limit", "0").start().await;
    let ada = app.user("ada").await;
    ada.send("hello").await.problem(500, "misconfigured");
    app.host().set_variable("free_limit", "1").unwrap();
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}
