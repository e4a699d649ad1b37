//! Accounts and sessions.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::forger::{Forger, payload};
use crate::harness::spin::not_on_spin;
use crate::harness::{Answer, BOOTSTRAP_SECRET, PASSWORD, TestApp};

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/refresh").json(&json!({ "refresh_token": token })).await
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_and_used() {
    not_on_spin("a clock that stands still");
    let app = TestApp::start().await;
    let account = app.register(" Ada@Example.COM").await.expect(201);
    let expected = json!({
        "id": account["id"],
        "uuid": account["uuid"],
        "email": "ada@example.com",
        "username": null,
        "full_name": "",
        "phone": "",
        "role": "user",
        "paid_access": false,
        "active": true,
        "verified": false,
        "created_at": "2027-01-15T08:00:30.000Z",
    });
    assert_eq!(account, expected);

    let answer = app.log_in("ada@example.com").await;
    let tokens = answer.expect(200);
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(answer.header("cache-control"), "no-store");
    let access = text(&tokens, "access_token");
    assert_eq!(app.get("/users/me").bearer(&access).await.expect(200), account);
    let claims = payload(&access);
    assert_eq!(claims["sub"], account["id"].to_string());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);

    let renewed = refresh(&app, &text(&tokens, "refresh_token")).await.expect(200);
    assert_ne!(renewed["access_token"], tokens["access_token"]);
    assert_ne!(renewed["refresh_token"], tokens["refresh_token"]);
    let access = text(&renewed, "access_token");
    assert_eq!(app.get("/users/me").bearer(&access).await.expect(200), account);

    assert_eq!(app.post("/auth/logout").bearer(&access).await.status, 204);
    app.get("/users/me").bearer(&access).await.problem(401, "unauthorized");
    refresh(&app, &text(&renewed, "refresh_token")).await.problem(401, "bad-refresh-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_key_of_a_token_is_published() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let keys = app.get("/.well-known/jwks.json").await.expect(200);
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0]["kty"], &keys[0]["crv"]), (&json!("OKP"), &json!("Ed25519")));
    assert!(keys[0].get("d").is_none(), "the private key is published");
    let header = ada.access.split('.').next().unwrap();
    let header = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["kid"], keys[0]["kid"]);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_makes_one_account_in_whatever_case() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    for email in ["ada@example.com", "ADA@example.com", " Ada@Example.Com "] {
        app.register(email).await.problem(409, "account-exists");
        app.log_in(email).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    let log_in = async |email: &str, password: &str| {
        app.post("/auth/login").json(&json!({ "username": email, "password": password })).await
    };
    let wrong = log_in("ada@example.com", "not her password").await;
    let unknown = log_in("bob@example.com", "not her password").await;
    wrong.problem(401, "bad-credentials");
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(wrong.status, unknown.status);
    let names = |answer: &Answer| -> Vec<String> { answer.headers.keys().map(ToString::to_string).collect() };
    assert_eq!(names(&wrong), names(&unknown));
    assert_eq!(log_in("ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_20_registrations_of_one_address_at_once_one_makes_the_account() {
    let app = TestApp::start().await;
    let answers = join_all((0..20).map(|_| app.register("ada@example.com"))).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "account-exists");
    }
    app.log_in("ada@example.com").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_has_one_successor_however_often_it_is_sent_at_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let answers = join_all((0..20).map(|_| refresh(&app, &ada.refresh_token))).await;
    let successor = text(&answers[0].expect(200), "refresh_token");
    for answer in &answers {
        let tokens = answer.expect(200);
        assert_eq!(tokens["refresh_token"], successor);
        let access = text(&tokens, "access_token");
        assert_eq!(app.get("/users/me").bearer(&access).await.status, 200);
    }
    refresh(&app, &successor).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_refresh_can_be_had_again_for_30_seconds() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let first = refresh(&app, &ada.refresh_token).await.expect(200);
    app.clock().advance(Duration::from_secs(30));
    let again = refresh(&app, &ada.refresh_token).await.expect(200);
    assert_eq!(first["refresh_token"], again["refresh_token"]);
    app.clock().advance(Duration::from_secs(1));
    refresh(&app, &ada.refresh_token).await.problem(401, "bad-refresh-token");
    // It came too late to be a lost answer: the session is over.
    refresh(&app, &text(&again, "refresh_token")).await.problem(401, "bad-refresh-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn reuse_of_an_old_refresh_token_ends_the_session_everywhere() {
    let app = TestApp::setup().several(3).start().await;
    let ada = app.user("ada").await;
    let elsewhere = app.log_in(&ada.email).await.expect(200);
    let second = refresh(&app, &ada.refresh_token).await.expect(200);
    let third = refresh(&app, &text(&second, "refresh_token")).await.expect(200);
    let access = text(&third, "access_token");
    app.get("/users/me").bearer(&access).await.expect(200);

    // A thief, or the owner after a thief.
    refresh(&app, &ada.refresh_token).await.problem(401, "bad-refresh-token");
    for host in 0..3 {
        for token in [&ada.access, &text(&second, "access_token"), &access] {
            let me = app.call(host, Method::GET, "/users/me").bearer(token).await;
            me.problem(401, "unauthorized");
        }
    }
    refresh(&app, &text(&third, "refresh_token")).await.problem(401, "bad-refresh-token");
    // Her other login is another session.
    app.get("/users/me").bearer(&text(&elsewhere, "access_token")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_refresh_token_is_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let long = "x".repeat(1_000);
    for token in ["", "x", &long, &ada.access, &ada.refresh_token[1..]] {
        refresh(&app, token).await.problem(401, "bad-refresh-token");
    }
    refresh(&app, &ada.refresh_token).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_however_often_it_is_refreshed() {
    let app = TestApp::with("session_seconds", 3_600).start().await;
    let mut ada = app.user("ada").await;
    for _ in 0..3 {
        app.clock().advance(Duration::from_secs(899));
        ada.refresh(&app).await;
    }
    app.clock().advance(Duration::from_secs(903));
    refresh(&app, &ada.refresh_token).await.problem(401, "bad-refresh-token");
    app.get("/users/me").bearer(&ada.access).await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_works_like_the_header_until_logout_clears_it() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    let answer = app.log_in("ada@example.com").await;
    let access = text(&answer.expect(200), "access_token");
    let cookie = format!("octo_handler_user={access}");
    assert_eq!(answer.header("set-cookie"), format!("{cookie}; HttpOnly; Max-Age=900; Path=/; SameSite=lax"));

    assert_eq!(app.get("/users/me").header("cookie", &cookie).await.status, 200);
    let message = app.post("/messages").header("cookie", &format!("theme=dark; {cookie}"));
    assert_eq!(message.json(&json!({ "message": "hello" })).await.expect(200)["response"], "olleh");

    let logout = app.post("/auth/logout").header("cookie", &cookie).await;
    assert_eq!(logout.status, 204);
    assert_eq!(logout.header("set-cookie"), "octo_handler_user=; HttpOnly; Max-Age=0; Path=/; SameSite=lax");
    app.get("/users/me").header("cookie", &cookie).await.expect(401);
    let message = app.post("/messages").header("cookie", &cookie);
    message.json(&json!({ "message": "hello" })).await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_kept_off_plain_http_when_the_client_speaks_tls() {
    let app = TestApp::start().await;
    app.register("ada@example.com").await.expect(201);
    let login = app.post("/auth/login").header("x-forwarded-proto", "https");
    let answer = login.json(&json!({ "username": "ada@example.com", "password": PASSWORD })).await;
    assert!(answer.header("set-cookie").ends_with("; Secure"), "{}", answer.header("set-cookie"));
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_ends_one_session_and_needs_one() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let elsewhere = app.log_in(&ada.email).await.expect(200);
    assert_eq!(ada.call(Method::POST, "/auth/logout").await.status, 204);
    ada.call(Method::POST, "/auth/logout").await.problem(401, "unauthorized");
    app.get("/users/me").bearer(&text(&elsewhere, "access_token")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_is_made_once_and_with_the_secret_only() {
    let app = TestApp::start().await;
    let make = async |secret: &str, email: &str| {
        app.post("/auth/administrators").bearer(secret).json(&json!({ "email": email })).await
    };
    make(BOOTSTRAP_SECRET, "ada@example.com").await.problem(409, "no-first-administrator");
    app.register("ada@example.com").await.expect(201);
    app.register("bob@example.com").await.expect(201);
    for secret in ["", "x", &BOOTSTRAP_SECRET[1..], &BOOTSTRAP_SECRET.to_uppercase()] {
        make(secret, "ada@example.com").await.problem(403, "bad-bootstrap-secret");
    }
    let unset = app.post("/auth/administrators").json(&json!({ "email": "ada@example.com" }));
    unset.await.problem(403, "bad-bootstrap-secret");
    assert_eq!(make(BOOTSTRAP_SECRET, "Ada@example.com").await.expect(200)["role"], "admin");
    for email in ["ada@example.com", "bob@example.com"] {
        make(BOOTSTRAP_SECRET, email).await.problem(409, "no-first-administrator");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bootstrap_secret_nobody_becomes_administrator() {
    let app = TestApp::with("bootstrap_secret", "").start().await;
    app.register("ada@example.com").await.expect(201);
    for secret in ["", "x", BOOTSTRAP_SECRET] {
        let make = app.post("/auth/administrators").bearer(secret);
        make.json(&json!({ "email": "ada@example.com" })).await.problem(403, "bad-bootstrap-secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_accounts_are_an_administrators_business() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let root = app.administrator().await;
    let grant = json!({ "paid_access": true });
    for path in [format!("/users/{}", ada.id), format!("/users/{}", bob.id), "/users/999".to_owned()] {
        assert_eq!(app.get(&path).await.status, 401);
        app.patch(&path).json(&grant).await.problem(401, "unauthorized");
        ada.call(Method::GET, &path).await.problem(403, "forbidden");
        ada.call(Method::PATCH, &path).json(&grant).await.problem(403, "forbidden");
    }
    let path = format!("/users/{}", ada.id);
    assert_eq!(root.call(Method::GET, &path).await.expect(200)["paid_access"], false);
    assert_eq!(root.call(Method::PATCH, &path).json(&grant).await.expect(200)["paid_access"], true);
    assert_eq!(root.call(Method::GET, &path).await.expect(200)["paid_access"], true);
    assert_eq!(root.call(Method::GET, &format!("/users/{}", bob.id)).await.expect(200)["paid_access"], false);
    for path in ["/users/999", "/users/x", "/users/-1", "/users/99999999999999999999"] {
        root.call(Method::GET, path).await.problem(404, "not-found");
        root.call(Method::PATCH, path).json(&grant).await.problem(404, "not-found");
    }
    let wrong = root.call(Method::PATCH, &path).json(&json!({ "paid_access": "yes" })).await;
    assert_eq!(wrong.problem(422, "invalid-fields")["errors"][0]["pointer"], "/paid_access");
    // Nobody makes himself anything by asking.
    let wish =
        json!({ "email": "eve@example.com", "password": PASSWORD, "role": "admin", "paid_access": true });
    let eve = app.post("/auth/register").json(&wish).await.expect(201);
    assert_eq!((&eve["role"], &eve["paid_access"]), (&json!("user"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_tokens_outlive_a_restart() {
    let app = TestApp::start().await;
    let mut ada = app.user("ada").await;
    let keys = app.get("/.well-known/jwks.json").await.expect(200);
    let app = app.restart(&[]).await;
    assert_eq!(app.get("/.well-known/jwks.json").await.expect(200), keys);
    assert_eq!(app.get("/users/me").bearer(&ada.access).await.expect(200)["email"], ada.email);
    app.log_in(&ada.email).await.expect(200);
    ada.refresh(&app).await;
    assert_eq!(app.get("/users/me").bearer(&ada.access).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_key_signs_and_tokens_of_the_key_before_stay_good() {
    let operator = Forger::new();
    let app = TestApp::setup().over_redis().start().await;
    let ada = app.user("ada").await;
    let app = app.restart(&[("signing_key", &operator.pem())]).await;
    let bob = app.user("bob").await;
    let keys = app.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    assert_eq!(keys["keys"][0]["kid"], operator.header()["kid"]);
    // By their signatures alone.
    app.redis().flush().unwrap();
    for token in [&ada.access, &bob.access] {
        app.get("/users/me").bearer(token).await.expect(200);
    }
    let message = app.post("/messages").bearer(&bob.access).json(&json!({ "message": "hello" })).await;
    message.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_on_needs_nobody_to_check_a_token_after_the_store_forgot_everything() {
    let app = TestApp::setup().over_redis().start().await;
    let ada = app.user("ada").await;
    app.redis().flush().unwrap();
    app.get("/users/me").bearer(&ada.access).await.expect(200);
    app.redis().flush().unwrap();
    assert_eq!(app.post("/auth/logout").bearer(&ada.access).await.status, 204);
    app.get("/users/me").bearer(&ada.access).await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgot_everything_logs_nobody_out() {
    let app = TestApp::setup().several(3).start().await;
    let mut ada = app.user("ada").await;
    app.redis().flush().unwrap();
    for host in 0..3 {
        assert_eq!(ada.send_by(host, "hello").await.expect(200)["response"], "olleh");
    }
    let stranger = Forger::new();
    let forged = stranger.sign(&stranger.header(), &payload(&ada.access));
    app.post("/messages").bearer(&forged).await.problem(401, "unauthorized");
    ada.refresh(&app).await;
    assert_eq!(ada.send("hello").await.status, 200);
    assert_eq!(ada.call(Method::POST, "/auth/logout").await.status, 204);
    ada.send("hello").await.problem(401, "unauthorized");
}
