//! Guessing is slow, and nobody is locked out by it.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::TestApp;
use super::harness::{Answer, PASSWORD, Setup};

/// Behind one proxy, which says where each request comes from.
fn behind_a_proxy() -> Setup {
    TestApp::with("trusted_proxies", 1)
}

async fn log_in(app: &TestApp, source: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    app.post("/auth/login").header("x-forwarded-for", &format!("198.51.100.1, {source}")).json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_grow_and_the_right_password_works_after_them() {
    let app = behind_a_proxy().start().await;
    app.register("ada@example.com").await.expect(201);
    for (name, source) in [("ada@example.com", "192.0.2.1"), ("nobody@example.com", "192.0.2.2")] {
        for _ in 0..6 {
            log_in(&app, source, name, "wrong").await.problem(401, "bad-credentials");
        }
        let wait = log_in(&app, source, name, PASSWORD).await;
        wait.problem(429, "too-many-attempts");
        assert_eq!(wait.header("retry-after"), "1", "{name}");
        app.clock().advance(Duration::from_secs(1));
        log_in(&app, source, name, "wrong").await.problem(401, "bad-credentials");
        let wait = log_in(&app, source, name, PASSWORD).await;
        assert_eq!((wait.status, wait.header("retry-after")), (429, "2"), "{name}");
    }
    app.clock().advance(Duration::from_secs(2));
    log_in(&app, "192.0.2.1", "ada@example.com", PASSWORD).await.expect(200);
    log_in(&app, "192.0.2.1", "ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_once_are_no_way_around_the_delay() {
    let app = behind_a_proxy().start().await;
    app.register("ada@example.com").await.expect(201);
    let answers = join_all((0..30).map(|_| log_in(&app, "192.0.2.1", "ada@example.com", "wrong"))).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 6);
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_from_everywhere_locks_nobody_out() {
    let app = behind_a_proxy().start().await;
    let ada = "ada@example.com";
    app.register(ada).await.expect(201);
    log_in(&app, "192.0.2.1", ada, PASSWORD).await.expect(200);
    let attack = async |round: usize| {
        for bot in 0..40 {
            log_in(&app, &format!("203.0.{round}.{bot}"), ada, "wrong").await;
        }
    };
    attack(0).await;
    // Where she has been before she is not even asked to wait.
    log_in(&app, "192.0.2.1", ada, PASSWORD).await.expect(200);
    // Elsewhere she waits as told, and the attack going on makes no difference.
    let knock = log_in(&app, "192.0.2.77", ada, PASSWORD).await;
    knock.problem(429, "too-many-attempts");
    let seconds: u64 = knock.header("retry-after").parse().unwrap();
    assert_eq!(seconds, 900, "at its longest");
    attack(1).await;
    app.clock().advance(Duration::from_secs(seconds));
    attack(2).await;
    log_in(&app, "192.0.2.77", ada, PASSWORD).await.expect(200);
    // Her sessions never noticed.
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_choose_where_it_comes_from() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    for number in 0..6 {
        let answer = log_in(&app, &format!("192.0.2.{number}"), "ada@example.com", "wrong").await;
        answer.problem(401, "bad-credentials");
    }
    let answer = app.post("/auth/login").header("spin-client-addr", "192.0.2.99:1");
    let body = json!({ "username": "ada@example.com", "password": PASSWORD });
    answer.json(&body).await.problem(429, "too-many-attempts");
    log_in(&app, "192.0.2.99", "ada@example.com", PASSWORD).await.problem(429, "too-many-attempts");
}
