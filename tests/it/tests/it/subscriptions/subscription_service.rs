//! The routes and bodies of the original subscription service, as its own clients use them.

use std::time::Duration;

use http::Method;
use octo_host::OutboundFault;
use serde_json::{Value, json};

use crate::harness::spin::not_on_spin;
use crate::harness::{Answer, Call, PASSWORD, TestApp};

const ROOT: &str = "/api/v1/subscriptions";
const HTML: &str = "text/html; charset=utf-8";

/// Under the original's rules: no token.
async fn legacy() -> TestApp {
    TestApp::with("legacy_rules", "on").start().await
}

fn put(app: &TestApp, id: impl std::fmt::Display) -> Call {
    app.call(0, Method::PUT, &format!("{ROOT}/{id}/status"))
}

#[track_caller]
fn expect(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
    assert_eq!(answer.header("content-type"), HTML);
}

/// The subscription in an answer: JSON in a JSON string.
fn row(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_str(answer.json().as_str().unwrap()).unwrap()
}

async fn purchase(app: &TestApp) -> Value {
    row(&app.post(ROOT).json(&json!({ "user_id": 1 })).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_bought_canceled_and_restarted_byte_for_byte() {
    not_on_spin("a clock that stands still");
    let app = legacy().await;
    let bought = app.post(&format!("{ROOT}/")).json(&json!({ "user_id": 1 })).await;
    let created =
        r#"\"id\": 1, \"user\": \"Admin\", \"status\": \"ACTIVE\", \"created at\": \"15/01/2027 08:00:30\""#;
    expect(&bought, 200, &format!(r#""{{{created}, \"updated at\": null}}""#));

    app.clock().advance(Duration::from_secs(65));
    let canceled = put(&app, 1).json(&json!({ "canceled": true })).await;
    let created = created.replace("ACTIVE", "CANCELED");
    let body = format!(r#""{{{created}, \"updated at\": \"15/01/2027 08:01:35\"}}""#);
    expect(&canceled, 200, &body);

    // A second cancel succeeds and changes nothing.
    app.clock().advance(Duration::from_secs(65));
    expect(&put(&app, 1).json(&json!({ "canceled": "yes", "restarted": "off" })).await, 200, &body);

    let restarted =
        put(&app, 1).json(&json!({ "restarted": 1, "canceled": false, "subscription_id": [] })).await;
    let restarted = row(&restarted);
    assert_eq!(restarted["status"], "ACTIVE");
    assert_eq!(restarted["updated at"], "15/01/2027 08:02:40");

    // Another one, by the other spelling of the path.
    assert_eq!(purchase(&app).await["id"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collection_answers_ok_in_both_spellings() {
    let app = legacy().await;
    for path in [ROOT.to_owned(), format!("{ROOT}/")] {
        let answer = app.get(&path).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "OK"));
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_taken_as_the_original_took_them() {
    let app = legacy().await;
    for user_id in ["1", "1.9", "\"1\"", "\" 1 \"", "\"+1\"", "\"0_1\"", "1e0"] {
        let answer = app.post(ROOT).header("content-type", "application/json");
        let answer = answer.body(format!("{{\"user_id\":{user_id}}}")).await;
        assert_eq!(row(&answer)["user"], "Admin", "{user_id}");
    }
    // Numbers, but nobody's.
    for user_id in
        ["0", "-1", "\"-7\"", "99", "1e30", "123456789012345678901234567890", "\"99999999999999999999\""]
    {
        let answer = app.post(ROOT).header("content-type", "application/json");
        let answer = answer.body(format!("{{\"user_id\":{user_id}}}")).await;
        expect(&answer, 404, "\"The user does not exist\"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_body_is_told_in_the_originals_words() {
    let app = legacy().await;
    purchase(&app).await;
    let invalid = r#"{"user_id": ["Not a valid integer."]}"#;
    for (body, message) in [
        ("{}", r#"{"user_id": ["Missing data for required field."]}"#),
        (r#"{"user_id":null}"#, r#"{"user_id": ["Field may not be null."]}"#),
        (r#"{"user_id":true}"#, invalid),
        (r#"{"user_id":"one"}"#, invalid),
        (r#"{"user_id":""}"#, invalid),
        (r#"{"user_id":"1.9"}"#, invalid),
        (r#"{"user_id":"1__0"}"#, invalid),
        (r#"{"user_id":[1]}"#, invalid),
        (r#"{"user_id":{}}"#, invalid),
        (r#"{"user_id":1,"nöt":1}"#, r#"{"n\u00f6t": ["Unknown field."]}"#),
        ("[]", r#"{"_schema": ["Invalid input type."]}"#),
        ("null", r#"{"_schema": ["Invalid input type."]}"#),
        ("7", r#"{"_schema": ["Invalid input type."]}"#),
    ] {
        let answer = app.post(ROOT).header("content-type", "application/json").body(body).await;
        expect(&answer, 400, message);
    }
    let both = r#"["The fields 'canceled' and 'restarted' cant be TRUE at the same time !"]"#;
    let neither = r#"["The fields 'canceled' and 'restarted' cant be FALSE at the same time !"]"#;
    let not_boolean = r#"{"canceled": ["Not a valid boolean."]}"#;
    for (body, message) in [
        (r#"{"canceled":true,"restarted":"t"}"#, both),
        ("{}", neither),
        (r#"{"canceled":"no","restarted":0.0}"#, neither),
        (r#"{"canceled":"maybe"}"#, not_boolean),
        (r#"{"canceled":2}"#, not_boolean),
        (r#"{"canceled":[]}"#, not_boolean),
        (r#"{"canceled":"tRuE"}"#, not_boolean),
        (r#"{"canceled":null}"#, r#"{"canceled": ["Field may not be null."]}"#),
        (r#"{"canceled":true,"user_id":1}"#, r#"{"user_id": ["Unknown field."]}"#),
        // The original failed here (500).
        ("[1]", r#"{"_schema": ["Invalid input type."]}"#),
        ("\"x\"", r#"{"_schema": ["Invalid input type."]}"#),
    ] {
        let answer = put(&app, 1).header("content-type", "application/json").body(body).await;
        expect(&answer, 400, message);
    }
    // Nothing of all this changed anything.
    let history = app.administrator().await.call(Method::GET, "/subscriptions/1/history").await.expect(200);
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
}

fn page(status: &str, name: &str, text: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=en>\n<title>{status} {name}</title>\n<h1>{name}</h1>\n<p>{text}</p>\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_and_what_is_no_path_gets_a_page() {
    let app = legacy().await;
    let bad_request = page(
        "400",
        "Bad Request",
        "The browser (or proxy) sent a request that this server could not understand.",
    );
    for (content_type, body) in [
        ("application/json", ""),
        ("application/json", "{"),
        ("application/json", "user_id=1"),
        ("text/plain", r#"{"user_id":1}"#),
        ("application/x-www-form-urlencoded", "user_id=1"),
    ] {
        expect(&app.post(ROOT).header("content-type", content_type).body(body).await, 400, &bad_request);
        expect(&put(&app, 1).header("content-type", content_type).body(body).await, 400, &bad_request);
    }
    expect(&app.post(ROOT).body(r#"{"user_id":1}"#).await, 400, &bad_request);

    let not_found = page(
        "404",
        "Not Found",
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.",
    );
    for path in
        ["/1/status/", "/-1/status", "/x/status", "/1.0/status", "//status", "/status", "/1", "/1/state"]
    {
        let answer =
            app.call(0, Method::PUT, &format!("{ROOT}{path}")).json(&json!({ "canceled": true })).await;
        expect(&answer, 404, &not_found);
    }

    let not_allowed = page("405", "Method Not Allowed", "The method is not allowed for the requested URL.");
    for (method, path, allow) in [
        (Method::PUT, "", "GET, POST, HEAD"),
        (Method::DELETE, "/", "GET, POST, HEAD"),
        (Method::GET, "/1/status", "PUT"),
        (Method::POST, "/1/status", "PUT"),
    ] {
        let answer = app.call(0, method, &format!("{ROOT}{path}")).await;
        expect(&answer, 405, &not_allowed);
        assert_eq!(answer.header("allow"), allow);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_not_is_said_at_once() {
    let app = legacy().await;
    for id in ["1", "007", "99999999999999999999999"] {
        let answer = put(&app, id).json(&json!({ "canceled": true })).await;
        expect(&answer, 404, "\"The subscription does not exist\"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reply_in_time_the_answer_is_408_and_the_change_still_happens_once() {
    const WAIT: Duration = Duration::from_millis(200);
    let setup = TestApp::with("legacy_rules", "on").with("subscriptions_reply_wait_ms", WAIT.as_millis());
    let app = setup.start().await;
    purchase(&app).await;
    app.host().faults().outbound("auth", OutboundFault::Status(503));
    app.clear_records();
    // Once `auth` has failed it, the caller only waits.
    let time = async {
        while !app.host().outbound_calls().iter().any(|call| call.url.contains("//auth.")) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        app.clock().advance(WAIT);
    };
    let answer =
        async { tokio::join!(put(&app, 1).json(&json!({ "canceled": true })).into_future(), time).0 };
    let answer = tokio::time::timeout(Duration::from_secs(30), answer).await.expect("it waits for ever");
    expect(&answer, 408, "\"The server did not send a response\"");

    app.quiet().await;
    app.host().faults().outbound("auth", OutboundFault::None);
    // The pause before the next attempt.
    app.clock().advance(Duration::from_secs(1));
    // A caller performs what is before its own notification.
    assert_eq!(row(&put(&app, 1).json(&json!({ "canceled": true })).await)["status"], "CANCELED");
    let history = app.administrator().await.call(Method::GET, "/subscriptions/1/history").await.expect(200);
    let types: Vec<_> = history["items"].as_array().unwrap().iter().map(|line| &line["type"]).collect();
    assert_eq!(types, ["SUBSCRIPTION_PURCHASED", "SUBSCRIPTION_CANCELED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_it_is_safe_to_ask_again() {
    let app = legacy().await;
    let post = |path: &str, user_id| {
        app.post(path).header("idempotency-key", "k").json(&json!({ "user_id": user_id }))
    };
    let first = post(ROOT, 1).await;
    assert_eq!(row(&first)["id"], 1);
    expect(&post(&format!("{ROOT}/"), 1).await, 200, &first.text());
    app.register("ada@example.com").await.expect(201);
    app.register("bob@example.com").await.expect(201);
    post(ROOT, 2).await.problem(422, "idempotency-key-reused");
    assert_eq!(purchase(&app).await["id"], 2);
    let log = app.log();
    assert!(log.contains(r#""notification":"SUBSCRIPTION_PURCHASED""#), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_legacy_rules_a_token_is_needed_and_does_for_ones_own() {
    let app = TestApp::start().await;
    for call in [app.get(ROOT), app.post(ROOT).json(&json!({ "user_id": 1 })), put(&app, 1)] {
        call.await.problem(401, "unauthorized");
    }
    let ada = app.post("/auth/register").json(&json!({
        "email": "ada@example.com", "password": PASSWORD, "full_name": "Ада Ловелас"
    }));
    let id = ada.await.expect(201)["id"].as_i64().unwrap();
    let token = app.log_in("ada@example.com").await.expect(200)["access_token"].as_str().unwrap().to_owned();
    let bob = app.user("bob").await;

    let answer = app.post(ROOT).bearer(&token).json(&json!({ "user_id": id })).await;
    assert!(answer.text().contains(r#"\"user\": \"\\u0410\\u0434\\u0430 "#), "{}", answer.text());
    assert_eq!(row(&answer)["user"], "Ада Ловелас");

    let other = bob.call(Method::POST, ROOT).json(&json!({ "user_id": id })).await;
    expect(&other, 404, "\"The user does not exist\"");
    let other = bob.call(Method::PUT, &format!("{ROOT}/1/status")).json(&json!({ "canceled": true })).await;
    expect(&other, 404, "\"The subscription does not exist\"");
    let root = app.administrator().await;
    let change = root.call(Method::PUT, &format!("{ROOT}/1/status")).json(&json!({ "canceled": true })).await;
    assert_eq!(row(&change)["status"], "CANCELED");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_legacy_rules_a_token_that_is_not_good_is_still_refused() {
    let app = legacy().await;
    app.post(ROOT).bearer("x").json(&json!({ "user_id": 1 })).await.problem(401, "unauthorized");
    // Our own routes know no such rules.
    app.post("/subscriptions").json(&json!({ "user_id": 1 })).await.problem(401, "unauthorized");
}
