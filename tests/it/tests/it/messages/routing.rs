//! What comes of a message: free, paid, or refused with what to do.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::spin::not_on_spin;

const KIB: usize = 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_reversed_by_the_free_provider() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let answer = ada.send("hello").await;
    let body = answer.expect(200);
    let id = body["id"].as_str().unwrap();
    assert_eq!(
        body,
        json!({ "id": id, "ok": true, "response": "olleh", "provider": "free", "reason": "free_available" })
    );
    assert_eq!(app.free_provider().books().await.taken, [id]);
    assert_eq!(answer.header("ratelimit-policy"), r#""free";q=10;w=60"#);
    assert_eq!(answer.header("ratelimit"), r#""free";r=9;t=30"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_free_quota_messages_go_to_the_paid_provider_until_the_next_window() {
    let app = TestApp::with("free_limit", 2).start().await;
    let ada = app.paying_user("ada").await;
    let provider_and_reason = async || {
        let body = ada.send("hello").await.expect(200);
        assert_eq!(body["response"], "olleh");
        (body["provider"].as_str().unwrap().to_owned(), body["reason"].as_str().unwrap().to_owned())
    };
    let free = ("free".to_owned(), "free_available".to_owned());
    let paid = ("paid".to_owned(), "free_exhausted".to_owned());
    assert_eq!(provider_and_reason().await, free);
    assert_eq!(provider_and_reason().await, free);
    assert_eq!(provider_and_reason().await, paid);
    assert_eq!(provider_and_reason().await, paid);

    app.clock().advance(Duration::from_secs(31));
    assert_eq!(provider_and_reason().await, free);
    assert_eq!(provider_and_reason().await, free);
    assert_eq!(provider_and_reason().await, paid);

    let (free, paid) = (app.free_provider().books().await, app.paid_provider().books().await);
    assert_eq!((free.windows, free.refused_total), (vec![2, 2], 0));
    assert_eq!((paid.metered_total, paid.refused_total), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_paid_access_an_exhausted_quota_is_told_with_the_way_out() {
    not_on_spin("a clock that stands still");
    let app = TestApp::with("free_limit", 1).start().await;
    let ada = app.user("ada").await;
    ada.send("hello").await.expect(200);
    app.clear_records();

    let answer = ada.send("hello").await;
    let problem = answer.problem(429, "free-quota-exhausted");
    // 30 s to the window's end, and the clocks may disagree by 250 ms.
    assert_eq!(answer.header("retry-after"), "31");
    assert_eq!(answer.header("ratelimit-policy"), r#""free";q=1;w=60"#);
    assert_eq!(answer.header("ratelimit"), r#""free";r=0;t=31"#);
    assert_eq!(problem["reason"], "free_exhausted");
    assert_eq!(problem["free_reopens_at"], "2027-01-15T08:01:00.250Z");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("paid access") && detail.contains("administrator"), "{detail}");
    assert!(app.provider_calls().is_empty());

    // Anyone who waits as told is served.
    app.clock().advance(Duration::from_secs(31));
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_access_counts_from_the_next_message_on() {
    let app = TestApp::with("free_limit", 1).start().await;
    let ada = app.user("ada").await;
    ada.send("hello").await.expect(200);
    ada.send("hello").await.problem(429, "free-quota-exhausted");
    let administrator = app.administrator().await;
    let grant = administrator.call(Method::PATCH, &format!("/users/{}", ada.id));
    grant.json(&json!({ "paid_access": true })).await.expect(200);
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_shown_in_every_state() {
    not_on_spin("a clock that stands still");
    let app = TestApp::with("free_limit", 2).start().await;
    let ada = app.user("ada").await;
    let open = |used: i64| {
        json!({
            "limit": 2,
            "used": used,
            "remaining": 2 - used,
            "window": {
                "model": "aligned",
                "seconds": 60,
                "starts_at": "2027-01-15T08:00:00.000Z",
                "ends_at": "2027-01-15T08:01:00.000Z",
            },
            "block": { "seconds": 60, "until": null },
            "free_open": true,
            "closed_because": null,
            "free_reopens_at": null,
            "free_reopens_in_seconds": null,
        })
    };
    assert_eq!(ada.quota().await, open(0));
    ada.send("a").await.expect(200);
    assert_eq!(ada.quota().await, open(1));
    ada.send("b").await.expect(200);
    let exhausted = changed(
        open(2),
        &[
            ("free_open", json!(false)),
            ("closed_because", json!("free_exhausted")),
            ("free_reopens_at", json!("2027-01-15T08:01:00.250Z")),
            ("free_reopens_in_seconds", json!(31)),
        ],
    );
    assert_eq!(ada.quota().await, exhausted);
    // Attempts beyond the quota do not change what is shown.
    ada.send("c").await.problem(429, "free-quota-exhausted");
    assert_eq!(ada.quota().await, exhausted);
    let quota = ada.call(Method::GET, "/messages/quota").await;
    assert_eq!(quota.header("ratelimit"), r#""free";r=0;t=31"#);

    app.clock().advance(Duration::from_secs(31));
    let next = json!({
        "model": "aligned",
        "seconds": 60,
        "starts_at": "2027-01-15T08:01:00.000Z",
        "ends_at": "2027-01-15T08:02:00.000Z",
    });
    assert_eq!(ada.quota().await, changed(open(0), &[("window", next.clone())]));

    // The provider refuses a call although we have room: it takes less than we were told, at least for now.
    let refusal = http::Response::builder().status(429).header("retry-after", "90");
    let refusal = refusal.body(bytes::Bytes::new()).unwrap();
    app.host().faults().outbound("free-provider", octo_host::OutboundFault::Respond(refusal));
    ada.send("d").await.problem(503, "free-provider-failed");
    let until = "2027-01-15T08:02:31.000Z";
    let blocked = changed(
        open(1),
        &[
            ("window", next),
            ("limit", json!(1)),
            ("remaining", json!(0)),
            ("block", json!({ "seconds": 60, "until": until })),
            ("free_open", json!(false)),
            ("closed_because", json!("free_blocked")),
            ("free_reopens_at", json!(until)),
            ("free_reopens_in_seconds", json!(90)),
        ],
    );
    assert_eq!(ada.quota().await, blocked);
}

fn changed(mut value: Value, members: &[(&str, Value)]) -> Value {
    for (name, member) in members {
        value[*name] = member.clone();
    }
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_the_quota_costs_no_call() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for _ in 0..5 {
        assert_eq!(ada.quota().await["used"], 0);
    }
    app.get("/messages/quota").await.problem(401, "unauthorized");
    assert!(app.provider_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_any_unicode_text() {
    let app = TestApp::with("free_limit", 100).start().await;
    let ada = app.user("ada").await;
    for (message, reversed) in [
        ("привет", "тевирп"),
        ("a\u{0}b", "b\u{0}a"),
        ("👍\r\n\"\\", "\\\"\n\r👍"),
        ("日本語", "語本日"),
        (" ", " "),
        ("\u{10ffff}\u{feff}x", "x\u{feff}\u{10ffff}"),
    ] {
        assert_eq!(ada.send(message).await.expect(200)["response"], reversed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_at_most_64_kib() {
    let app = TestApp::with("free_limit", 100).start().await;
    let ada = app.user("ada").await;
    let control = "\u{1}".repeat(64 * KIB); // Six bytes each in JSON.
    for message in ["x".repeat(64 * KIB), "я".repeat(32 * KIB), control] {
        let answer = ada.send(&message).await.expect(200);
        assert!(answer["response"] == message.chars().rev().collect::<String>());
    }
    app.clear_records();
    for message in ["x".repeat(64 * KIB + 1), "я".repeat(32 * KIB) + "x"] {
        let problem = ada.send(&message).await.problem(422, "invalid-fields");
        let rule = "must be 1 to 65536 bytes of UTF-8; it has 65537";
        assert_eq!(problem["errors"], json!([{ "pointer": "/message", "rule": rule }]));
    }
    assert!(app.provider_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_slash_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let answer = ada.call(Method::POST, "/messages/").json(&json!({ "message": "hello" })).await;
    assert_eq!(answer.expect(200)["response"], "olleh");
    assert_eq!(ada.call(Method::GET, "/messages/quota/").await.expect(200)["used"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_told_apart() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for path in ["/messages/x", "/messages/quota/x", "/internal/settings"] {
        assert_eq!(ada.call(Method::GET, path).await.status, 404, "{path}");
    }
    for (method, path, allow) in [
        (Method::GET, "/messages", "POST"),
        (Method::DELETE, "/messages", "POST"),
        (Method::POST, "/messages/quota", "GET, HEAD"),
    ] {
        let answer = ada.call(method, path).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allow);
    }
    assert!(app.provider_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paid_provider_needs_no_setting_up() {
    let app = TestApp::with("free_limit", 1).with("paid_provider_key", "").start().await;
    let ada = app.paying_user("ada").await;
    let sent = futures::future::join_all((0..8).map(|_| ada.send("hello"))).await;
    let sent: Vec<_> = sent.iter().map(|answer| answer.expect(200)["provider"].to_string()).collect();
    assert_eq!(sent.iter().filter(|provider| *provider == "\"paid\"").count(), 7, "{sent:?}");
}
