//! The user service of the original shop, as its own clients use it.

use http::Method;
use serde_json::{Value, json};

use crate::harness::forger::payload;
use crate::harness::spin::not_on_spin;
use crate::harness::{Answer, PASSWORD, TestApp};

fn new_user(name: &str, password: &str) -> Value {
    json!({ "username": name, "full_name": "Ada Lovelace", "phone": "+7 900", "password": password })
}

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

async fn token(app: &TestApp, name: &str, password: &str) -> String {
    let answer = app.post("/user-api/token").form(&[("username", name), ("password", password)]).await;
    let token = answer.expect(200)["access_token"].as_str().unwrap().to_owned();
    is(&answer, 200, &format!(r#"{{"access_token":"{token}","token_type":"bearer"}}"#));
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_registers_and_reads_and_changes_himself() {
    not_on_spin("a clock that stands still");
    let app = TestApp::start().await;
    let user = |full_name: &str, phone: &str| {
        format!(
            r#"{{"username":"ada","full_name":"{full_name}","phone":"{phone}","id":"00000001","created_at":"2027-01-15T08:00:30.000000","total_spent":0.0,"is_admin":false}}"#
        )
    };
    // The original's own script names no content type.
    let register = app.post("/user-api/users/register").body(new_user("ada", PASSWORD).to_string()).await;
    is(&register, 200, &user("Ada Lovelace", "+7 900"));
    let again = app.post("/user-api/users/register").json(&new_user("Ada", PASSWORD)).await;
    is(&again, 400, r#"{"detail":"Username already registered"}"#);

    let token = token(&app, "ada", PASSWORD).await;
    let claims = payload(&token);
    assert_eq!(claims["is_admin"], false);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1800);
    let me = |method| app.call(0, method, "/user-api/users/me").bearer(&token);
    is(&me(Method::GET).await, 200, &user("Ada Lovelace", "+7 900"));
    let changed = me(Method::PUT).form(&[("full_name", "Ada L."), ("phone", "")]).await;
    is(&changed, 200, &user("Ada L.", "+7 900"));
    let ignored = me(Method::PUT).json(&json!({ "full_name": "x" })).await;
    is(&ignored, 200, &user("Ada L.", "+7 900"));
    // One account for everything.
    let message = app.post("/messages").bearer(&token).json(&json!({ "message": "hello" })).await;
    assert_eq!(message.expect(200)["response"], "olleh");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_the_originals() {
    let app = TestApp::start().await;
    app.post("/user-api/users/register").json(&new_user("ada", PASSWORD)).await.expect(200);
    for (name, password) in [("ada", "wrong"), ("eve", PASSWORD), ("e v e", PASSWORD)] {
        let answer = app.post("/user-api/token").form(&[("username", name), ("password", password)]).await;
        is(&answer, 401, r#"{"detail":"Incorrect username or password"}"#);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    app.post("/user-api/token").json(&json!({ "username": "ada", "password": PASSWORD })).await.expect(422);
    let none = app.get("/user-api/users/me").await;
    is(&none, 401, r#"{"detail":"Not authenticated"}"#);
    assert_eq!(none.header("www-authenticate"), "Bearer");
    let bad = app.get("/user-api/users/me").bearer("x.y.z").await;
    is(&bad, 401, r#"{"detail":"Could not validate credentials"}"#);
    assert_eq!(bad.header("www-authenticate"), "Bearer");
    let errors = app.post("/user-api/users/register").json(&json!({ "username": 7 })).await.expect(422);
    assert_eq!(errors["detail"].as_array().unwrap().len(), 4);
    assert_eq!(errors["detail"][0]["loc"], json!(["body", "username"]));
    is(&app.get("/user-api/").await, 200, r#"{"message":"User Service API"}"#);
    is(&app.get("/user-api/health").await, 200, r#"{"status":"ok","service":"user-service"}"#);
    app.get("/user-api/swagger-admin-token").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn demonstration_passwords_and_names_work_under_legacy_rules_only() {
    let app = TestApp::start().await;
    let register = async |app: &TestApp, name: &str, password: &str| {
        app.post("/user-api/users/register").json(&new_user(name, password)).await
    };
    for password in ["password123", "admin123", "test", ""] {
        register(&app, "swagger_user", password).await.expect(422);
    }
    let plain = register(&app, "admin_ada", PASSWORD).await.expect(200);
    assert_eq!(plain["is_admin"], false);

    let app = TestApp::with("legacy_rules", "on").start().await;
    register(&app, "swagger_user", "password123").await.expect(200);
    token(&app, "swagger_user", "password123").await;
    let admin = register(&app, "admin_ada", "admin123").await.expect(200);
    assert_eq!(admin["is_admin"], true);
    let token = token(&app, "admin_ada", "admin123").await;
    app.get("/users").bearer(&token).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_get_the_originals_answers() {
    let app = TestApp::start().await;
    let missing = |place: &str| {
        format!(r#"{{"detail":[{{"type":"missing","loc":[{place}],"msg":"Field required","input":null}}]}}"#)
    };
    is(&app.post("/user-api/users/register").await, 422, &missing(r#""body""#));
    let no_object = app.post("/user-api/users/register").form(&[("username", "ada")]).await.expect(422);
    assert_eq!(no_object["detail"][0]["type"], "model_attributes_type");
    let broken = app.post("/user-api/users/register").body("{").await.expect(422);
    assert_eq!(broken["detail"][0]["type"], "json_invalid");
    is(
        &app.post("/user-api/token").form(&[("username", "ada")]).await,
        422,
        &missing(r#""body","password""#),
    );
    for (method, path, allow) in [
        (Method::GET, "/user-api/token", "POST"),
        (Method::GET, "/user-api/users/register", "POST"),
        (Method::DELETE, "/user-api/users/me", "GET, PUT, HEAD"),
        (Method::POST, "/user-api/health", "GET, HEAD"),
    ] {
        let answer = app.call(0, method, path).await;
        is(&answer, 405, r#"{"detail":"Method Not Allowed"}"#);
        assert_eq!(answer.header("allow"), allow);
    }
    for path in ["/user-api/else", "/user-api/users", "/user-api/health/else/"] {
        is(&app.get(path).await, 404, r#"{"detail":"Not Found"}"#);
    }
    for (path, status, location) in [
        ("/user-api", 301, "/user-api/"),
        ("/user-api/users/me/", 307, "/user-api/users/me"),
        ("/user-api/health/?x=1", 307, "/user-api/health?x=1"),
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (status, location));
    }
}
