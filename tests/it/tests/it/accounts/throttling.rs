//! Guessing is slow, and nobody is locked out by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join, join_all};
use futures::{StreamExt, stream};
use http::Method;
use octo_host::StoreFault;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, PASSWORD, Setup, TestApp, not_on_spin};

/// Against hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Behind one proxy, which says where each request comes from.
fn behind_a_proxy() -> Setup {
    TestApp::with("trusted_proxies", 1)
}

async fn log_in(app: &TestApp, source: &str, name: &str, password: &str) -> Answer {
    let body = json!({ "username": name, "password": password });
    app.post("/auth/login").header("x-forwarded-for", &format!("198.51.100.1, {source}")).json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_slow_and_the_right_password_works_after_the_delay() {
    not_on_spin("a controlled clock");
    let app = behind_a_proxy().start().await;
    app.register("ada@example.com").await.expect(201);
    for (name, source) in [("ada@example.com", "192.0.2.1"), ("nobody@example.com", "192.0.2.2")] {
        for _ in 0..6 {
            log_in(&app, source, name, "wrong").await.problem(401, "bad-credentials");
        }
        let wait = log_in(&app, source, name, PASSWORD).await;
        wait.problem(429, "too-many-attempts");
        assert_eq!(wait.header("retry-after"), "300", "{name}");
    }
    app.clock().advance(Duration::from_secs(300));
    for (name, source) in [("ada@example.com", "192.0.2.1"), ("nobody@example.com", "192.0.2.2")] {
        log_in(&app, source, name, "wrong").await.problem(401, "bad-credentials");
        let wait = log_in(&app, source, name, PASSWORD).await;
        assert_eq!((wait.status, wait.header("retry-after")), (429, "300"), "{name}");
    }
    app.clock().advance(Duration::from_secs(300));
    log_in(&app, "192.0.2.1", "ada@example.com", PASSWORD).await.expect(200);
    log_in(&app, "192.0.2.1", "ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_once_are_heard_no_more_often_than_one_after_the_other() {
    for setup in [behind_a_proxy(), behind_a_proxy().over_postgres()] {
        let app = setup.start().await;
        // A millisecond for each, so that not all are of the same time; too little for a token to come back.
        let attempt = async |source: String, name: &str| {
            app.clock().advance(Duration::from_millis(1));
            log_in(&app, &source, name, "wrong").await
        };
        let mut heard = 0;
        for place in 0..60 {
            let answer = attempt(format!("203.0.113.{place}"), "nobody@example.com").await;
            heard += usize::from(answer.status == 401);
        }
        assert_eq!(heard, 20, "one after the other");
        for (places, most) in [(1, 6), (8, 20), (16, 20), (32, 20)] {
            let name = format!("ada{places}@example.com");
            app.register(&name).await.expect(201);
            let answers: Vec<Answer> = stream::iter(0..200)
                .map(|number| attempt(format!("192.0.{places}.{}", number % places), &name))
                .buffer_unordered(places.max(8))
                .collect()
                .await;
            let heard = answers.iter().filter(|answer| answer.status == 401).count();
            assert_eq!(heard, most, "200 from {places} places at once");
            assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_at_a_place_may_log_in_many_times_at_once() {
    for setup in [behind_a_proxy(), behind_a_proxy().over_postgres()] {
        let app = setup.start().await;
        app.register("ada@example.com").await.expect(201);
        log_in(&app, "192.0.2.1", "ada@example.com", PASSWORD).await.expect(200);
        for _ in 0..3 {
            let logins = (0..8).map(|_| log_in(&app, "192.0.2.1", "ada@example.com", PASSWORD));
            for answer in join_all(logins).await {
                answer.expect(200);
            }
        }
    }
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
    let wait = log_in(&app, "192.0.2.77", ada, PASSWORD).await;
    wait.problem(429, "too-many-attempts");
    let seconds: u64 = wait.header("retry-after").parse().unwrap();
    assert!((300..=900).contains(&seconds), "{seconds}");
    attack(1).await;
    app.clock().advance(Duration::from_secs(seconds));
    attack(2).await;
    log_in(&app, "192.0.2.77", ada, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_one_counter_by_whichever_name_it_is_called() {
    let app = behind_a_proxy().start().await;
    let account = json!({ "email": "ada@example.com", "username": "ada", "password": PASSWORD });
    app.post("/auth/register").json(&account).await.expect(201);
    let mut heard = 0;
    for attempt in 0..12 {
        let name = if attempt % 2 == 0 { "ada" } else { "ada@example.com" };
        heard += usize::from(log_in(&app, "192.0.2.1", name, "wrong").await.status == 401);
    }
    assert_eq!(heard, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_with_a_session_and_its_owner_do_not_hold_each_other_up() {
    let app = behind_a_proxy().start().await;
    let ada = app.user("ada").await;
    let confirm = async |source: &str, password: &str| {
        let call = ada.call(Method::PATCH, "/users/me").header("x-forwarded-for", source);
        call.json(&json!({ "email": "new@example.com", "current_password": password })).await
    };
    for _ in 0..6 {
        confirm("192.0.2.66", "wrong").await.problem(401, "bad-credentials");
    }
    confirm("192.0.2.66", PASSWORD).await.problem(429, "too-many-attempts");
    log_in(&app, "192.0.2.66", &ada.email, PASSWORD).await.expect(200);
    for _ in 0..6 {
        log_in(&app, "192.0.2.1", &ada.email, "wrong").await.problem(401, "bad-credentials");
    }
    log_in(&app, "192.0.2.1", &ada.email, PASSWORD).await.problem(429, "too-many-attempts");
    confirm("192.0.2.1", PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_uses_up_nobodys_attempts() {
    let app = behind_a_proxy().start().await;
    app.register("ada@example.com").await.expect(201);
    let rows = app.ask_database("SELECT COUNT(*) FROM throttle");
    let body = |name: &str| json!({ name: "ada@example.com", "password": "wrong" }).to_string();
    let shop = json!({ "username": "ada", "full_name": "", "phone": "", "password": PASSWORD }).to_string();
    let doors = [
        ("/auth/login", "", body("username")),
        ("/auth/login", "", body("email")),
        ("/auth/login", "application/json", body("username")),
        (
            "/auth/login",
            "application/x-www-form-urlencoded",
            "username=ada%40example.com&password=wrong".into(),
        ),
        ("/auth/login", "", String::new()),
        ("/auth/register", "", body("email")),
        ("/auth/registration", "text/plain", body("email")),
        ("/user-api/token", "application/x-www-form-urlencoded", "username=ada&password=wrong".into()),
        ("/user-api/users/register", "", shop),
    ];
    for (path, content_type, body) in doors {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let mut call = app.post(path).header("x-forwarded-for", "192.0.2.1").header(name, value);
            if !content_type.is_empty() {
                call = call.header("content-type", content_type);
            }
            call.body(body.clone()).await.problem(403, "another-site");
        }
    }
    assert_eq!(app.ask_database("SELECT COUNT(*) FROM throttle"), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_attempts_leave_nothing_and_what_is_over_is_swept_without_traffic() {
    const KEY: &str = "the key of the scheduler";
    for setup in [behind_a_proxy(), behind_a_proxy().over_postgres()] {
        let app = setup.with("jobs_key", KEY).start().await;
        for number in 0..50 {
            let answer = log_in(&app, "192.0.2.1", &format!("user{number}@example.com"), "wrong").await;
            answer.problem(401, "bad-credentials");
        }
        let rows = || app.ask_database("SELECT COUNT(*) FROM throttle");
        let full = rows();
        let refused = (0..300).map(|number| {
            let app = &app;
            async move { log_in(app, "192.0.2.1", &format!("more{number}@example.com"), "wrong").await }
        });
        for answer in join_all(refused).await {
            answer.problem(429, "too-many-attempts");
        }
        assert_eq!(rows(), full);
        // Hours later: the scheduler calls, and nobody else.
        app.clock().advance(Duration::from_secs(3 * 3600));
        app.post("/internal/jobs/drain").bearer(KEY).await.expect(200);
        assert_eq!(rows(), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_stops_nobody_else() {
    let app = behind_a_proxy().over_postgres().start().await;
    let ada = app.user("ada").await;
    // Nobody can hash: who comes now waits, or is told to come back.
    app.ask_database("UPDATE hash_leases SET held_until = 9000000000000000");
    let answered = Arc::new(AtomicUsize::new(0));
    let mut flood = JoinSet::new();
    for number in 0..350 {
        let source = format!("203.0.{}.{}", number / 100, number % 100);
        let body = json!({ "username": format!("bot{number}@example.com"), "password": "wrong" });
        let call = app.post("/auth/login").header("x-forwarded-for", &source).json(&body);
        let answered = Arc::clone(&answered);
        flood.spawn(async move {
            let answer = call.await;
            answered.fetch_add(1, Ordering::SeqCst);
            answer
        });
    }
    // More wait than a component may have connections to Postgres.
    let waiting = || {
        let held = app.ask_database("SELECT COUNT(*) FROM hash_leases WHERE slot > 4 AND held_until > 0");
        held.parse::<usize>().unwrap()
    };
    let many = async {
        while waiting() < 120 {
            assert!(answered.load(Ordering::SeqCst) < 350, "nobody waits");
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, many).await.expect("few wait");
    ada.call(Method::GET, "/users/me").await.expect(200);
    app.get("/.well-known/jwks.json").await.expect(200);
    let refresh = app.post("/auth/refresh").json(&json!({ "refresh_token": ada.refresh_token }));
    refresh.await.expect(200);
    let pending = 350 - answered.load(Ordering::SeqCst);
    assert!(pending > 64, "{pending}: they were served only after the flood");
    // Until all have come: each waits, or has been told to come back.
    let all = async {
        while answered.load(Ordering::SeqCst) + waiting() < 350 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("some neither wait nor are told");
    app.ask_database("UPDATE hash_leases SET held_until = 0 WHERE slot <= 4");
    let mut turned_away = 0;
    for answer in flood.join_all().await {
        if answer.status == 503 {
            answer.problem(503, "too-busy");
            assert_eq!(answer.header("retry-after"), "1");
            turned_away += 1;
        } else {
            answer.problem(401, "bad-credentials");
        }
    }
    assert!((150..350).contains(&turned_away), "{turned_away} of 350");
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
    not_on_spin("a platform that passes on fields that are not UTF-8: Spin answers 500 to them itself");
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
async fn names_are_asked_for_slowly_from_one_source() {
    not_on_spin("a controlled clock");
    for setup in [behind_a_proxy(), behind_a_proxy().over_postgres()] {
        let app = setup.start().await;
        let ada = app.user("ada").await;
        app.register("bob@example.com").await.expect(201);
        let register = async |source: &str, email: &str| {
            let call = app.post("/auth/register").header("x-forwarded-for", source);
            call.json(&json!({ "email": email, "password": PASSWORD })).await
        };
        let at_once = |number: usize| join_all((0..number).map(|_| register("192.0.2.1", "bob@example.com")));
        // As many at once as are left are all heard, and no more.
        for answer in at_once(190).await {
            answer.problem(409, "account-exists");
        }
        let last = at_once(30).await;
        assert_eq!(last.iter().filter(|answer| answer.status == 409).count(), 10);
        // Neither is a name tried, nor a password hashed, nor is it a way out to be another original's client.
        for email in ["bob@example.com", "eve@example.com"] {
            let wait = register("192.0.2.1", email).await;
            wait.problem(429, "too-many-registrations");
            assert_eq!(wait.header("retry-after"), "30");
            let loyalty = app.post("/auth/registration").header("x-forwarded-for", "192.0.2.1");
            let loyalty = loyalty.json(&json!({ "email": email, "password": PASSWORD })).await;
            loyalty.problem(429, "too-many-registrations");
        }
        // Nor to ask for it by a change of one's own account.
        let change = async |source: &str, email: &str| {
            let call = ada.call(Method::PATCH, "/users/me").header("x-forwarded-for", source);
            call.json(&json!({ "email": email, "current_password": PASSWORD })).await
        };
        change("192.0.2.1", "bob@example.com").await.problem(429, "too-many-registrations");
        change("192.0.2.1", &ada.email).await.expect(200);
        change("192.0.2.3", "bob@example.com").await.problem(409, "account-exists");
        let cookie = format!("octo_handler_user={}", ada.access);
        let handler = app.patch("/users/me").header("cookie", &cookie).header("x-forwarded-for", "192.0.2.1");
        let update = json!({ "id": ada.id, "free_messages_left": 0, "refresh_at": "2027-01-01", "paid_access": false,
            "email": "bob@example.com", "current_password": PASSWORD });
        handler.json(&update).await.problem(429, "too-many-registrations");
        register("192.0.2.2", "cleo@example.com").await.expect(201);
        app.clock().advance(Duration::from_secs(30));
        register("192.0.2.1", "eve@example.com").await.expect(201);
        register("192.0.2.1", "eva@example.com").await.problem(429, "too-many-registrations");
    }

    let demonstration = behind_a_proxy().with("legacy_rules", "on").start().await;
    for _ in 0..210 {
        let call = demonstration.post("/auth/register").header("x-forwarded-for", "192.0.2.1");
        let answer = call.json(&json!({ "email": "ada@example.com", "password": PASSWORD })).await;
        assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_all_leases_on_hashing_held_is_told_to_come_back() {
    // On SQLite, which can be made to hang under one host alone.
    let app = TestApp::with("password_hash_slots", 1).several(2).over_sqlite().start().await;
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
        let somebody_hashes = async {
            while app.ask_database("SELECT COUNT(*) FROM hash_leases WHERE held_until > 0") == "0" {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, somebody_hashes).await.expect("nobody hashes");
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
