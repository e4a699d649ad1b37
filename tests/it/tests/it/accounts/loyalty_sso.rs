//! The single sign-on of the original loyalty system, as its own clients use it.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::Method;
use serde_json::{Value, json};

use crate::harness::forger::payload;
use crate::harness::{Answer, PASSWORD, TestApp};

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

/// The tokens of an answer, which has exactly the original's form.
#[track_caller]
fn tokens(answer: &Answer) -> (String, String, String) {
    let body = answer.expect(201);
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let (user, access, refresh) = (text("user_id"), text("access_token"), text("refresh_token"));
    let whole = format!(
        r#"{{"status":"Success","user_id":"{user}","access_token":"{access}","refresh_token":"{refresh}"}}"#
    );
    assert_eq!(answer.text(), whole);
    assert_eq!((user.len(), user.matches('-').count()), (36, 4), "{user}");
    (user, access, refresh)
}

fn credentials() -> Value {
    json!({ "email": "ada@example.com", "password": PASSWORD })
}

async fn send(app: &TestApp, path: &str, body: Value) -> Answer {
    app.post(path).json(&body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_registers_logs_in_refreshes_and_logs_out() {
    let app = TestApp::start().await;
    let mut new = credentials();
    new["name"] = json!("Ada");
    new["birthday"] = json!("10.12.1815");
    new["avatar"] = json!("data:image/png;base64|aGk=");
    let (user, access, _) = tokens(&send(&app, "/auth/registration", new.clone()).await);
    let exists = send(&app, "/auth/registration", new).await;
    is(&exists, 405, r#"{"status":"Error","error":"user already exists"}"#);
    let claims = payload(&access);
    assert_eq!((&claims["uid"], &claims["token_type"]), (&json!(user), &json!("access")));
    assert_eq!(claims["email"], "ada@example.com");

    let (same, access, refresh) = tokens(&send(&app, "/auth/login", credentials()).await);
    assert_eq!(same, user);
    let info = format!(r#"{{"status":"Success","user_id":"{user}","email":"ada@example.com"}}"#);
    is(&app.get("/auth/info").bearer(&access).await, 200, &info);
    is(&app.get("/auth/info").header("authorization", &access).await, 200, &info);
    is(&app.get("/auth/info").bearer(&refresh).await, 401, r#"{"status":"Error","error":"token error"}"#);
    is(&app.get("/auth/info").await, 401, r#"{"status":"Error","error":"token error"}"#);

    let wrong = send(&app, "/auth/refresh", json!({ "token": access })).await;
    is(&wrong, 405, r#"{"status":"Error","error":"token wrong type, expected refresh"}"#);
    let (_, newer_access, newer) = tokens(&send(&app, "/auth/refresh", json!({ "token": refresh })).await);
    assert_eq!(payload(&newer_access)["uid"], user, "a refreshed token has the same form");
    let (_, _, newest) = tokens(&send(&app, "/auth/refresh", json!({ "token": newer })).await);
    let revoked = r#"{"status":"Error","error":"token revoked"}"#;
    is(&send(&app, "/auth/refresh", json!({ "token": refresh })).await, 405, revoked);
    is(&send(&app, "/auth/refresh", json!({ "token": newest })).await, 405, revoked);

    let (_, access, refresh) = tokens(&send(&app, "/auth/login", credentials()).await);
    is(&send(&app, "/auth/logout", json!({ "token": access })).await, 200, r#"{"status":"Success"}"#);
    for token in [&access, &refresh] {
        is(&send(&app, "/auth/logout", json!({ "token": token })).await, 405, revoked);
    }
    is(&send(&app, "/auth/refresh", json!({ "token": refresh })).await, 405, revoked);
    let wrong = send(&app, "/auth/refresh", json!({ "token": access })).await;
    is(&wrong, 405, r#"{"status":"Error","error":"token wrong type, expected refresh"}"#);
    app.get("/users/me").bearer(&access).await.problem(401, "unauthorized");
    let (_, access, refresh) = tokens(&send(&app, "/auth/login", credentials()).await);
    is(&send(&app, "/auth/logout", json!({ "token": refresh })).await, 200, r#"{"status":"Success"}"#);
    app.get("/users/me").bearer(&access).await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_the_originals() {
    let app = TestApp::start().await;
    tokens(&send(&app, "/auth/registration", credentials()).await);
    let error = |text: &str| format!(r#"{{"status":"Error","error":"{text}"}}"#);
    for body in [
        json!({ "email": "ada@example.com", "password": "wrong" }),
        json!({ "email": "eve@example.com", "password": PASSWORD }),
        json!({ "email": "ada@example.com" }),
    ] {
        is(&send(&app, "/auth/login", body).await, 404, &error("user not found"));
    }
    for (path, body, text) in [
        ("/auth/login", json!({ "email": "x", "password": "y" }), "field Email is not valid"),
        ("/auth/login", json!({ "email": 7 }), "failed to decode request"),
        ("/auth/registration", json!({}), "field Email is not valid, field Password is a required field"),
        ("/auth/registration", json!({ "email": "a@b.c" }), "field Password is a required field"),
        (
            "/auth/registration",
            json!({ "email": "a@b.c", "password": "test" }),
            "field Password is not valid",
        ),
        ("/auth/registration", json!({ "email": 7 }), "failed to decode request"),
        ("/auth/refresh", json!({ "token": "" }), "field Token is not valid"),
        ("/auth/refresh", json!({ "token": "x" }), "token error"),
        ("/auth/logout", json!({ "token": "x" }), "token error"),
        ("/auth/logout", json!({}), "field Token is not valid"),
    ] {
        is(&send(&app, path, body).await, 400, &error(text));
    }
    is(&app.post("/auth/registration").body("{").await, 400, &error("failed to decode request"));
    is(&app.get("/auth/ready").await, 200, r#"{"status":"Success"}"#);
    is(&app.get("/auth/healthz").await, 200, r#"{"status":"Success"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_is_known_to_every_systems_clients() {
    let app = TestApp::with("legacy_rules", "on").start().await;
    let demonstration = json!({ "email": "user@test.com", "password": "test" });
    let (uuid, _, _) = tokens(&send(&app, "/auth/registration", demonstration.clone()).await);
    let (same, access, _) = tokens(&send(&app, "/auth/login", demonstration).await);
    assert_eq!(same, uuid);
    let own = app.get("/users/me").bearer(&access).await.expect(200);
    assert_eq!((&own["uuid"], &own["id"]), (&json!(uuid), &json!(1)));
    let shop = app.get("/user-api/users/me").bearer(&access).await.expect(200);
    assert_eq!((&shop["id"], &shop["username"]), (&json!("00000001"), &json!("user@test.com")));
    let form = [("username", "user@test.com"), ("password", "test")];
    let login = app.post("/auth/login").form(&form).await;
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let user = app.get("/users/me").header("cookie", &cookie).await.expect(200);
    assert_eq!((&user["id"], &user["email"]), (&json!(1), &json!("user@test.com")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_refused_without_a_body() {
    let app = TestApp::start().await;
    for (method, path, allow) in [
        (Method::GET, "/auth/registration", "POST"),
        (Method::POST, "/auth/info", "GET, HEAD"),
        (Method::PUT, "/auth/ready", "GET, HEAD"),
        (Method::HEAD, "/auth/registration", "POST"),
    ] {
        let answer = app.call(0, method, path).await;
        is(&answer, 405, "");
        assert_eq!(answer.header("allow"), allow);
    }
}

fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_gzip_are_read_and_given_to_who_takes_them() {
    let app = TestApp::start().await;
    let send = async |path: &str, body: Vec<u8>| {
        let call =
            app.post(path).header("content-type", "application/json").header("content-encoding", "gzip");
        call.header("accept-encoding", "gzip").body(body).await
    };
    for path in ["/auth/registration", "/auth/login"] {
        let answer = send(path, compressed(&credentials().to_string())).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (201, "gzip"));
        let mut text = String::new();
        GzDecoder::new(&*answer.body).read_to_string(&mut text).unwrap();
        assert!(text.starts_with(r#"{"status":"Success","user_id":""#), "{text}");
    }
    let refused = send("/auth/refresh", compressed(r#"{"token":"x"}"#)).await;
    assert_eq!((refused.status, refused.header("content-encoding")), (400, "gzip"));
    let plain = app.get("/auth/healthz").header("accept-encoding", "gzip;q=0").await;
    is(&plain, 200, r#"{"status":"Success"}"#);
    send("/auth/login", b"{}".to_vec()).await.problem(400, "malformed-body");
    // What is small on the way may be too large all the same.
    send("/auth/login", compressed(&" ".repeat(300_000))).await.problem(413, "body-too-large");
}
