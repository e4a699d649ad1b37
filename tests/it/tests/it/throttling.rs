//! Guessing is slow, and nobody is locked out by it.

use std::time::Duration;

use futures::future::{join, join_all};
use http::Method;
use octo_host::StoreFault;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

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

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_look_like_the_platforms_are_no_way_around_the_delay() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    let lines =
        ["192.0.2.1:1".as_bytes(), b"", b"nonsense", b"\xff", "ü".as_bytes(), b"127.0.0.1:1, 192.0.2.2:1"];
    let forged = async |number: usize| {
        let line = lines[number % lines.len()];
        let body = json!({ "username": "ada@example.com", "password": "wrong" });
        let call = app.post("/auth/login").header_bytes("spin-client-addr", line);
        call.header_bytes("spin-client-addr", format!("203.0.113.{number}:1").as_bytes()).json(&body).await
    };
    let mut heard = 0;
    for number in 0..24 {
        heard += usize::from(forged(number).await.status == 401);
    }
    // As many as from one address; the clock stands still.
    assert_eq!(heard, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hides_in_the_forwarded_line_is_known_all_the_same() {
    let app = behind_a_proxy().start().await;
    app.register("ada@example.com").await.expect(201);
    let attempt = async |before: &[u8], source: &str, password: &str| {
        let line = [before, b", ", source.as_bytes()].concat();
        let body = json!({ "username": "ada@example.com", "password": password });
        app.post("/auth/login").header_bytes("x-forwarded-for", &line).json(&body).await
    };
    for before in ["ü".as_bytes(), b"\xff", b"198.51.100.1", b"", b"\"", b"unknown"] {
        attempt(before, "192.0.2.1", "wrong").await.problem(401, "bad-credentials");
    }
    attempt("ü".as_bytes(), "192.0.2.1", PASSWORD).await.problem(429, "too-many-attempts");
    // The proxy itself is not the source, so others behind it do not wait.
    attempt("ü".as_bytes(), "192.0.2.2", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_are_slowed_down_at_their_source_alone() {
    let register = async |app: &TestApp, source: &str, email: &str| {
        let call = app.post("/auth/register").header("x-forwarded-for", source);
        call.json(&json!({ "email": email, "password": PASSWORD })).await
    };
    let app = behind_a_proxy().start().await;
    register(&app, "192.0.2.1", "ada@example.com").await.expect(201);
    for _ in 0..200 {
        register(&app, "192.0.2.1", "ada@example.com").await.problem(409, "account-exists");
    }
    // Neither is a name tried, nor a password hashed, nor is it a way out to be another original's client.
    for email in ["ada@example.com", "eve@example.com"] {
        let wait = register(&app, "192.0.2.1", email).await;
        wait.problem(429, "too-many-registrations");
        assert_eq!(wait.header("retry-after"), "1");
        let loyalty = app.post("/auth/registration").header("x-forwarded-for", "192.0.2.1");
        let loyalty = loyalty.json(&json!({ "email": email, "password": PASSWORD })).await;
        loyalty.problem(429, "too-many-registrations");
    }
    register(&app, "192.0.2.2", "bob@example.com").await.expect(201);
    app.clock().advance(Duration::from_secs(1));
    register(&app, "192.0.2.1", "eve@example.com").await.expect(201);
    let wait = register(&app, "192.0.2.1", "eva@example.com").await;
    assert_eq!((wait.status, wait.header("retry-after")), (429, "2"));

    let demonstration = behind_a_proxy().with("legacy_rules", "on").start().await;
    register(&demonstration, "192.0.2.1", "ada@example.com").await.expect(201);
    for _ in 0..210 {
        register(&demonstration, "192.0.2.1", "ada@example.com").await.problem(409, "account-exists");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_all_leases_on_hashing_held_is_told_to_come_back() {
    let app = TestApp::with("password_hash_slots", 1).several(2).start().await;
    app.register("ada@example.com").await.expect(201);
    let register = |host: usize, email: &str| {
        let call = app.call(host, Method::POST, "/auth/register");
        call.json(&json!({ "email": email, "password": PASSWORD }))
    };
    let log_in = || {
        let call = app.call(1, Method::POST, "/auth/login");
        call.json(&json!({ "username": "ada@example.com", "password": PASSWORD })).into_future()
    };
    let faults = app.hosts()[0].faults();
    let mut held = None;
    for round in 0..20 {
        // Somebody hashes when the database goes away under the first host, and cannot give his lease back.
        let mut crowd = JoinSet::new();
        for number in 0..8 {
            crowd.spawn(register(0, &format!("bot{round}.{number}@example.com")).attempt());
        }
        sleep(Duration::from_millis(60)).await;
        faults.sqlite(StoreFault::Hang);
        let answers = join(log_in(), register(1, &format!("eve{round}@example.com")).into_future()).await;
        crowd.abort_all();
        faults.sqlite(StoreFault::None);
        if answers.0.status == 503 {
            held = Some(answers);
            break;
        }
    }
    let (login, registration) = held.expect("nobody was hashing in any round");
    for answer in [login, registration] {
        answer.problem(503, "too-busy");
        assert_eq!(answer.header("retry-after"), "1");
    }
    // The lease ends by itself.
    app.clock().advance(Duration::from_secs(5));
    log_in().await.expect(200);
    register(1, "eva@example.com").await.expect(201);
}
