//! The user service of the original message handler, as its own clients use it.

use http::Method;
use octo_host::StoreFault;
use serde_json::{Value, json};

use crate::harness::forger::payload;
use crate::harness::spin::not_on_spin;
use crate::harness::{Answer, Call, PASSWORD, TestApp, User};

/// What its clients send to register.
fn new_user(email: &str) -> Value {
    json!({
        "email": email,
        "password": PASSWORD,
        "is_active": true,
        "is_superuser": true,
        "is_verified": true,
        "paid_access": true,
        "free_messages_left": 1000,
        "refresh_at": "2030-01-01",
    })
}

/// What they send to change a user.
fn update(changes: Value) -> Value {
    let mut body =
        json!({ "id": 0, "paid_access": true, "free_messages_left": 1000, "refresh_at": "2030-01-01" });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

/// The cookie of a login by form.
async fn cookie(app: &TestApp, email: &str, password: &str) -> String {
    let answer = app.post("/auth/login").form(&[("username", email), ("password", password)]).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn with(app: &TestApp, method: Method, path: &str, cookie: &str) -> Call {
    app.call(0, method, path).header("cookie", cookie)
}

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

async fn administrator_cookie(app: &TestApp) -> String {
    let root: &User = app.administrator().await;
    cookie(app, &root.email, PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_registers_logs_in_and_out_as_ever() {
    not_on_spin("a clock that stands still");
    let app = TestApp::start().await;
    let user = |paid| {
        format!(
            r#"{{"id":1,"email":"ada@example.com","is_active":true,"is_superuser":false,"is_verified":false,"paid_access":{paid},"free_messages_left":10,"refresh_at":"2027-01-16"}}"#
        )
    };
    let register = app.post("/auth/register").json(&new_user("ada@example.com")).await;
    is(&register, 201, &user(false));
    let again = app.post("/auth/register").json(&new_user("ADA@example.com")).await;
    is(&again, 400, r#"{"detail":"REGISTER_USER_ALREADY_EXISTS"}"#);

    let form =
        [("username", "ada@example.com"), ("password", PASSWORD), ("grant_type", "password"), ("scope", "")];
    let login = app.post("/auth/login").form(&form).await;
    is(&login, 204, "");
    let cookie = login.header("set-cookie").to_owned();
    let token = cookie.strip_prefix("octo_handler_user=").unwrap().split(';').next().unwrap();
    let attributes = "; HttpOnly; Max-Age=3600; Path=/; SameSite=lax";
    assert_eq!(cookie, format!("octo_handler_user={token}{attributes}"));
    let claims = payload(token);
    assert_eq!((&claims["sub"], &claims["email"]), (&json!("1"), &json!("ada@example.com")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    let snapshot = (&claims["paid_access"], &claims["free_messages_left"], &claims["refresh_at"]);
    assert_eq!(snapshot, (&json!(false), &json!(10), &json!("2027-01-16")));

    let cookie = format!("octo_handler_user={token}");
    is(&with(&app, Method::GET, "/users/me", &cookie).await, 200, &user(false));
    let welcome = with(&app, Method::GET, "/welcome", &cookie).await;
    is(&welcome, 200, r#"{"ok":true,"response":"Welcome, ada@example.com"}"#);
    let message = app.post(&format!("/free_provider?token={token}&message=abc")).await;
    is(&message, 200, r#"{"ok":true,"response":"cba"}"#);

    let logout = with(&app, Method::POST, "/auth/logout", &cookie).await;
    is(&logout, 204, "");
    let cleared = "octo_handler_user=; HttpOnly; Max-Age=0; Path=/; SameSite=lax";
    assert_eq!(logout.header("set-cookie"), cleared);
    let unauthorized = r#"{"detail":"Unauthorized"}"#;
    for cookie in [cookie.as_str(), "", "octo_handler_user=x.y.z"] {
        for (method, path) in [
            (Method::GET, "/users/me"),
            (Method::GET, "/welcome"),
            (Method::POST, "/auth/logout"),
            (Method::GET, "/users/1"),
        ] {
            is(&with(&app, method, path, cookie).await, 401, unauthorized);
        }
    }
    assert_eq!(app.post(&format!("/free_provider?token={token}&message=abc")).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_logins_and_bodies_get_the_originals_answers() {
    let app = TestApp::start().await;
    app.post("/auth/register").json(&new_user("ada@example.com")).await.expect(201);
    let bad = r#"{"detail":"LOGIN_BAD_CREDENTIALS"}"#;
    for (name, password) in
        [("ada@example.com", "wrong"), ("eve@example.com", PASSWORD), ("not an address", PASSWORD)]
    {
        let login = app.post("/auth/login").form(&[("username", name), ("password", password)]).await;
        is(&login, 400, bad);
    }
    let missing = app.post("/auth/login").form(&[("username", "ada@example.com")]).await;
    is(
        &missing,
        422,
        r#"{"detail":[{"type":"missing","loc":["body","password"],"msg":"Field required","input":null,"url":"https://errors.pydantic.dev/2.5/v/missing"}]}"#,
    );
    let grant = [("username", "a@b.c"), ("password", "x"), ("grant_type", "client_credentials")];
    app.post("/auth/login").form(&grant).await.expect(422);
    let multipart = format!(
        "--X\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nada@example.com\r\n\
         --X\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--X--\r\n"
    );
    let login = app.post("/auth/login").header("content-type", "multipart/form-data; boundary=X");
    assert_eq!(login.body(multipart).await.status, 204);

    let wrong = json!({ "email": "notmail", "password": 7, "paid_access": "x", "refresh_at": "soon" });
    let answer = app.post("/auth/register").json(&wrong).await.expect(422);
    let names: Vec<_> = answer["detail"].as_array().unwrap().iter().map(|error| &error["loc"][1]).collect();
    for name in ["email", "password", "paid_access", "free_messages_left", "refresh_at"] {
        assert!(names.contains(&&json!(name)), "{answer}");
    }
    let mut weak = new_user("eve@example.com");
    weak["password"] = json!("password123");
    let answer = app.post("/auth/register").json(&weak).await.expect(400);
    assert_eq!(answer["detail"]["code"], "REGISTER_INVALID_PASSWORD");
    assert!(answer["detail"]["reason"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_changes_address_and_password_and_grants_himself_nothing() {
    not_on_spin("a clock that stands still");
    let app = TestApp::start().await;
    for name in ["ada", "eve"] {
        app.post("/auth/register").json(&new_user(&format!("{name}@example.com"))).await.expect(201);
    }
    let own = cookie(&app, "ada@example.com", PASSWORD).await;
    let change =
        async |changes: Value| with(&app, Method::PATCH, "/users/me", &own).json(&update(changes)).await;
    let wish = json!({ "is_superuser": true, "is_verified": true, "email": "ada@example.org" });
    let user = change(wish).await;
    is(
        &user,
        200,
        r#"{"id":1,"email":"ada@example.org","is_active":true,"is_superuser":false,"is_verified":false,"paid_access":false,"free_messages_left":10,"refresh_at":"2027-01-16"}"#,
    );
    let taken = change(json!({ "email": "EVE@example.com" })).await;
    is(&taken, 400, r#"{"detail":"UPDATE_USER_EMAIL_ALREADY_EXISTS"}"#);
    change(json!({ "email": "nobody" })).await.expect(422);
    let weak = change(json!({ "password": "short" })).await.expect(400);
    assert_eq!(weak["detail"]["code"], "UPDATE_USER_INVALID_PASSWORD");
    change(json!({ "password": "another good password" })).await.expect(200);
    cookie(&app, "ada@example.org", "another good password").await;
    // The quota is really as it was.
    let token = own.strip_prefix("octo_handler_user=").unwrap();
    for _ in 0..10 {
        assert_eq!(app.post(&format!("/free_provider?token={token}&message=abc")).await.status, 200);
    }
    assert_eq!(app.post(&format!("/free_provider?token={token}&message=abc")).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn superusers_and_nobody_else_administer_users() {
    let app = TestApp::start().await;
    let root = administrator_cookie(&app).await;
    let made = app.post("/auth/register").json(&new_user("ada@example.com")).await.expect(201);
    let path = format!("/users/{}", made["id"]);
    let own = cookie(&app, "ada@example.com", PASSWORD).await;
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = with(&app, method, &path, &own).json(&update(json!({}))).await;
        is(&answer, 403, r#"{"detail":"Forbidden"}"#);
    }
    assert_eq!(with(&app, Method::GET, &path, &root).await.expect(200), made);
    for path in ["/users/999", "/users/x", "/users/1.5"] {
        is(&with(&app, Method::GET, path, &root).await, 404, r#"{"detail":"Not Found"}"#);
    }
    let changes = update(json!({ "is_superuser": true, "is_verified": true }));
    let changed = with(&app, Method::PATCH, &path, &root).json(&changes).await.expect(200);
    for right in ["is_superuser", "is_verified", "paid_access"] {
        assert_eq!(changed[right], true);
    }
    assert_eq!(with(&app, Method::GET, &path, &own).await.status, 200, "at once");
    let changes = update(json!({ "is_active": false, "is_superuser": false, "paid_access": false }));
    with(&app, Method::PATCH, &path, &root).json(&changes).await.expect(200);
    is(&with(&app, Method::GET, "/users/me", &own).await, 401, r#"{"detail":"Unauthorized"}"#);
    let login =
        app.post("/auth/login").form(&[("username", "ada@example.com"), ("password", PASSWORD)]).await;
    is(&login, 400, r#"{"detail":"LOGIN_BAD_CREDENTIALS"}"#);
    is(&with(&app, Method::DELETE, &path, &root).await, 204, "");
    is(&with(&app, Method::DELETE, &path, &root).await, 404, r#"{"detail":"Not Found"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_tells_nobody_who_is_there() {
    let app = TestApp::start().await;
    app.post("/auth/register").json(&new_user("ada@example.com")).await.expect(201);
    for email in ["ada@example.com", "nobody@example.com"] {
        let answer = app.post("/auth/request-verify-token").json(&json!({ "email": email })).await;
        is(&answer, 202, "null");
    }
    app.post("/auth/request-verify-token").json(&json!({ "email": "x" })).await.expect(422);
    let answer = app.post("/auth/verify").json(&json!({ "token": "x" })).await;
    is(&answer, 400, r#"{"detail":"VERIFY_USER_BAD_TOKEN"}"#);
    app.post("/auth/verify").json(&json!({})).await.expect(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_free_messages_shown_are_those_that_are_left() {
    not_on_spin("a clock that stands still");
    for (variable, whole) in [("0", 10), ("4", 4)] {
        let app = TestApp::with("free_daily_per_user", variable).with("free_limit", 1000).start().await;
        app.post("/auth/register").json(&new_user("ada@example.com")).await.expect(201);
        let own = cookie(&app, "ada@example.com", PASSWORD).await;
        let shown = async |cookie: &str| {
            let user = with(&app, Method::GET, "/users/me", cookie).await.expect(200);
            (user["free_messages_left"].as_i64().unwrap(), user["refresh_at"].clone())
        };
        assert_eq!(shown(&own).await, (whole, json!("2027-01-16")));
        let token = own.strip_prefix("octo_handler_user=").unwrap();
        for sent in 1..=whole {
            let message = app.post(&format!("/free_provider?token={token}&message=abc")).await;
            is(&message, 200, r#"{"ok":true,"response":"cba"}"#);
            assert_eq!(shown(&own).await.0, whole - sent);
        }
        assert_eq!(app.post(&format!("/free_provider?token={token}&message=abc")).await.status, 403);
        assert_eq!(shown(&own).await.0, 0);
        let root = administrator_cookie(&app).await;
        assert_eq!(with(&app, Method::GET, "/users/1", &root).await.expect(200)["free_messages_left"], 0);
        let claims = payload(cookie(&app, "ada@example.com", PASSWORD).await.split_once('=').unwrap().1);
        assert_eq!((&claims["free_messages_left"], &claims["refresh_at"]), (&json!(0), &json!("2027-01-16")));

        app.clock().advance(std::time::Duration::from_secs(86_400));
        let tomorrow = cookie(&app, "ada@example.com", PASSWORD).await;
        assert_eq!(shown(&tomorrow).await, (whole, json!("2027-01-17")));
        // No message goes free while nobody can count it.
        app.host().faults().key_value(StoreFault::Down);
        assert_eq!(shown(&tomorrow).await, (0, json!("2027-01-17")));
        app.host().faults().key_value(StoreFault::None);
        assert_eq!(shown(&tomorrow).await.0, whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_get_the_originals_answers() {
    let app = TestApp::start().await;
    app.post("/auth/register").json(&new_user("ada@example.com")).await.expect(201);
    let own = cookie(&app, "ada@example.com", PASSWORD).await;
    let error = |kind: &str, place: &str, message: &str| {
        format!(
            r#"{{"type":"{kind}","loc":[{place}],"msg":"{message}","input":null,"url":"https://errors.pydantic.dev/2.5/v/{kind}"}}"#
        )
    };
    let missing = |name: &str| error("missing", &format!(r#""body","{name}""#), "Field required");
    let list = |errors: &[String]| format!(r#"{{"detail":[{}]}}"#, errors.join(","));

    let both = list(&[missing("username"), missing("password")]);
    is(&app.post("/auth/login").await, 422, &both);
    is(&app.post("/auth/login").form(&[]).await, 422, &both);
    is(&app.post("/auth/login").form(&[("username", ""), ("password", "")]).await, 422, &both);
    // Values in another form than their own are read as the original reads them.
    let mut lax = new_user("bob@example.com");
    lax["paid_access"] = json!("yes");
    lax["free_messages_left"] = json!("10");
    lax["refresh_at"] = json!("2030-01-01T00:00:00");
    lax["is_active"] = json!(1);
    app.post("/auth/register").json(&lax).await.expect(201);

    let bodiless = [("/auth/verify", "token"), ("/auth/request-verify-token", "email")];
    for (path, name) in bodiless {
        let nothing = list(&[missing(name)]);
        is(&app.post(path).await, 422, &nothing);
        is(&app.post(path).json(&json!([])).await, 422, &nothing);
        is(&app.post(path).form(&[(name, "x")]).await, 422, &nothing);
        let broken = app.post(path).body("{").await.expect(422);
        assert_eq!(
            (&broken["detail"][0]["type"], &broken["detail"][0]["loc"][0]),
            (&json!("json_invalid"), &json!("body"))
        );
        let answer = app.get(path).await;
        is(&answer, 405, r#"{"detail":"Method Not Allowed"}"#);
        assert_eq!(answer.header("allow"), "POST");
    }
    let answer = app.post("/welcome").await;
    is(&answer, 405, r#"{"detail":"Method Not Allowed"}"#);
    assert_eq!(answer.header("allow"), "GET, HEAD");

    let partly = with(&app, Method::PATCH, "/users/me", &own).json(&json!({ "paid_access": true })).await;
    is(&partly, 422, &list(&[missing("id"), missing("free_messages_left"), missing("refresh_at")]));
    let wrong =
        json!({ "id": [], "paid_access": "x", "free_messages_left": 1.5, "refresh_at": 7, "password": 7 });
    let wrong = with(&app, Method::PATCH, "/users/me", &own).json(&wrong).await;
    let at = |name: &str| format!(r#""body","{name}""#);
    is(
        &wrong,
        422,
        &list(&[
            error("int_type", &at("id"), "Input should be a valid integer"),
            error(
                "int_from_float",
                &at("free_messages_left"),
                "Input should be a valid integer, got a number with a fractional part",
            ),
            error("date_type", &at("refresh_at"), "Input should be a valid date"),
            error(
                "bool_parsing",
                &at("paid_access"),
                "Input should be a valid boolean, unable to interpret input",
            ),
            error("string_type", &at("password"), "Input should be a valid string"),
        ]),
    );
    // Another cookie is none.
    for cookie in ["other=1", "octo_handler_user", "octo_handler_user=", "OCTO_HANDLER_USER=x"] {
        is(&with(&app, Method::GET, "/users/me", cookie).await, 401, r#"{"detail":"Unauthorized"}"#);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_is_not_enough_to_take_an_account_over() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let stolen = format!("octo_handler_user={}", ada.access);
    let attempt = async |cookie: &str, changes: Value| {
        with(&app, Method::PATCH, "/users/me", cookie).json(&update(changes)).await
    };
    let refused =
        |answer: Answer| assert_eq!(answer.expect(400)["detail"]["code"], "UPDATE_USER_INVALID_PASSWORD");
    let wishes = || [json!({ "password": "another good password" }), json!({ "email": "eve@example.com" })];
    for wish in wishes() {
        refused(attempt(&stolen, wish).await);
    }
    attempt(&stolen, json!({ "email": ada.email })).await.expect(200);
    // Nor is one of a form's login, when that was a while ago.
    let own = cookie(&app, &ada.email, PASSWORD).await;
    attempt(&own, json!({ "email": "ada@example.org" })).await.expect(200);
    app.clock().advance(std::time::Duration::from_secs(601));
    for wish in wishes() {
        refused(attempt(&own, wish).await);
    }
    let wrong = json!({ "email": "eve@example.com", "current_password": "wrong" });
    attempt(&own, wrong).await.problem(401, "bad-credentials");
    let right = json!({ "email": "ada@example.net", "current_password": PASSWORD });
    assert_eq!(attempt(&own, right).await.expect(200)["email"], "ada@example.net");
}
