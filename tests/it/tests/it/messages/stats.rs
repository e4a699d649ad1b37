//! What became of the messages, as `GET /messages/stats` and `GET /metrics` tell it.

use std::time::Duration;

use octo_host::Clock;
use serde_json::{Value, json};

use crate::harness::spin::not_on_spin;
use crate::harness::{Counter, TestApp, User};

async fn stats(user: &User) -> Value {
    user.call(http::Method::GET, "/messages/stats").await.expect(200)
}

/// The figures once so many messages are counted: that follows the answers.
async fn stats_of(user: &User, messages: i64) -> Value {
    for _ in 0..100 {
        let stats = stats(user).await;
        if stats["total"]["messages"] == messages {
            return stats;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{messages} messages were never counted: {}", stats(user).await)
}

/// Four messages: two free, one paid for, one refused.
async fn four_messages(app: &TestApp) -> User {
    let (ada, bob) = (app.user("ada").await, app.paying_user("bob").await);
    for _ in 0..2 {
        assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
    }
    assert_eq!(bob.send("hello").await.expect(200)["provider"], "paid");
    ada.send("hello").await.problem(429, "free-quota-exhausted");
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_tell_what_became_of_every_message_in_windows_and_in_all() {
    not_on_spin("a clock that stands still");
    let app = TestApp::with("free_limit", 2).start().await;
    let ada = four_messages(&app).await;
    let stats = stats_of(&ada, 4).await;
    assert_eq!(stats["waiting"], 0);
    assert_eq!(
        stats["total"],
        json!({
            "messages": 4, "free": 2, "paid": 1, "refused": 1, "failed": 0,
            "paid_by_reason": { "free_exhausted": 1 },
            "refused_by_reason": { "free_exhausted": 1 },
            "failed_by_reason": {},
            "blocked": 0, "waited": 0, "oracle_not_free": 2, "regret": 0,
        })
    );
    assert_eq!(stats["windows"].as_array().unwrap().len(), 1);
    assert_eq!(stats["windows"][0]["starts_at"], "2027-01-15T08:00:00.000Z");
    assert_eq!(stats["windows"][0]["free"], 2);

    app.clock().advance(Duration::from_secs(60));
    ada.send("hello").await.expect(200);
    let stats = stats_of(&ada, 5).await;
    let windows = stats["windows"].as_array().unwrap();
    let free: Vec<_> = windows.iter().map(|window| window["free"].as_i64().unwrap()).collect();
    assert_eq!(free, [1, 2]);
    assert_eq!(windows[0]["starts_at"], "2027-01-15T08:01:00.000Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_message_that_could_have_gone_free_is_regretted() {
    let app = TestApp::with("free_limit", 10).start().await;
    let bob = app.paying_user("bob").await;
    app.host().faults().outbound("free-provider", octo_host::OutboundFault::Status(500));
    assert_eq!(bob.send("hello").await.expect(200)["reason"], "free_failed");
    let total = stats_of(&bob, 1).await["total"].clone();
    assert_eq!(total["paid_by_reason"], json!({ "free_failed": 1 }));
    assert_eq!((&total["oracle_not_free"], &total["regret"]), (&json!(0), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn counted_in_redis_the_figures_are_the_same() {
    let setup = TestApp::with("free_limit", 2).with("free_window_model", "sliding");
    let setup = setup.with("free_window_seconds", 60).by(Clock::system());
    let app = setup.several(2).counting_in(Counter::OwnRedis).start().await;
    app.vouch_for_a_fresh_provider();
    let ada = four_messages(&app).await;
    let total = stats_of(&ada, 4).await["total"].clone();
    assert_eq!(total["free"], 2);
    assert_eq!(total["paid_by_reason"], json!({ "free_exhausted": 1 }));
    assert_eq!(total["refused_by_reason"], json!({ "free_exhausted": 1 }));
    assert_eq!((&total["oracle_not_free"], &total["regret"]), (&json!(2), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_reads_every_series_with_the_key_or_a_token_and_nobody_else_does() {
    let app = TestApp::with("free_limit", 2).with("metrics_key", "scrape-me-please").start().await;
    let ada = four_messages(&app).await;
    stats_of(&ada, 4).await;
    app.get("/metrics").await.problem(401, "unauthorized");
    app.get("/metrics").bearer("scrape-me-pleasE").await.problem(401, "unauthorized");
    app.get("/messages/stats").bearer("scrape-me-please").await.problem(401, "unauthorized");

    let answer = app.get("/metrics").bearer("scrape-me-please").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text();
    for line in [
        r#"octo_messages_total{fate="free",reason="free_available"} 2"#,
        r#"octo_messages_total{fate="paid",reason="free_exhausted"} 1"#,
        r#"octo_messages_total{fate="paid",reason="counter_unavailable"} 0"#,
        r#"octo_messages_total{fate="refused",reason="free_exhausted"} 1"#,
        "octo_oracle_not_free_total 2",
        "octo_regret_messages 0",
        "octo_free_slots_remaining 0",
        "octo_free_open 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
    // Every sample has a type, and no label's value comes from outside.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} has no type");
    }
    assert_eq!(text.lines().filter(|line| line.starts_with("octo_messages_total")).count(), 1 + 3 * 6);
    assert_eq!(ada.call(http::Method::GET, "/metrics").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_free_messages_of_a_day_lie_under_the_quota_of_all() {
    not_on_spin("a clock that stands still");
    let app = TestApp::with("free_limit", 5).with("free_daily_per_user", 2).several(2).start().await;
    let (ada, bob) = (app.user("ada").await, app.paying_user("bob").await);
    for host in [0, 1] {
        assert_eq!(ada.send_by(host, "hello").await.expect(200)["provider"], "free");
    }
    let answer = ada.send_by(1, "hello").await;
    let problem = answer.problem(429, "free-allowance-used");
    assert_eq!(problem["refills_at"], "2027-01-16T00:00:00.000Z");
    assert_eq!(answer.header("retry-after"), (15 * 3600 + 59 * 60 + 30).to_string());
    let reasons = async || bob.send("hello").await.expect(200)["reason"].as_str().unwrap().to_owned();
    assert_eq!([reasons().await, reasons().await], ["free_available", "free_available"]);
    assert_eq!(reasons().await, "allowance_used");
    // What did not go free was not used up.
    let eve = app.user("eve").await;
    assert_eq!(eve.send("hello").await.expect(200)["provider"], "free");
    eve.send("hello").await.problem(429, "free-quota-exhausted");
    app.clock().advance(Duration::from_secs(60));
    assert_eq!(eve.send("hello").await.expect(200)["provider"], "free");
    eve.send("hello").await.problem(429, "free-allowance-used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_takes_less_than_was_thought_is_respected_by_what_it_says() {
    let app = TestApp::with("free_limit", 10).with("free_provider_real_limit", 4).start().await;
    let bob = app.paying_user("bob").await;
    for _ in 0..3 {
        for _ in 0..8 {
            bob.send("hello").await.expect(200);
        }
        app.clock().advance(Duration::from_secs(60));
    }
    let books = app.free_provider().books().await;
    assert_eq!((books.windows, books.refused_total), (vec![4, 4, 4], 0));
    assert_eq!(bob.quota().await["limit"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_stays_as_it_was_when_the_limit_changes() {
    let mut app = TestApp::with("free_limit", 10).start().await;
    let ada = app.paying_user("ada").await;
    for _ in 0..12 {
        ada.send("hello").await.expect(200);
    }
    let was = stats_of(&ada, 12).await;
    assert_eq!((&was["total"]["free"], &was["total"]["paid"]), (&json!(10), &json!(2)));
    for limit in ["5", "20", "1"] {
        app = app.restart(&[("free_limit", limit)]).await;
        let ada = relogged(&app).await;
        assert_eq!(stats(&ada).await, was, "with {limit}");
    }
    // In the same window with the lower limit, and when it is put away.
    let ada = relogged(&app).await;
    assert_eq!(ada.send("hello").await.expect(200)["reason"], "free_exhausted");
    assert_eq!(stats_of(&ada, 13).await["total"]["free"], 10);
    for total in [11, 12, 13] {
        app.clock().advance(Duration::from_secs(120));
        ada.send("hello").await.expect(200);
        let stats = stats_of(&ada, 3 + total).await;
        assert_eq!(stats["total"]["free"], total);
        assert_eq!(stats["windows"].as_array().unwrap().last().unwrap()["free"], 10);
    }
}

/// Ada, on the hosts as they are now.
async fn relogged(app: &TestApp) -> User {
    let tokens = app.log_in("ada@example.com").await.expect(200);
    let account = app.get("/users/me").bearer(tokens["access_token"].as_str().unwrap()).await.expect(200);
    User::new(app, &account, &tokens)
}
