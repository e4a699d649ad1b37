//! What an account's owner does with it and its sessions, and how soon that counts.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, TestApp, User};

async fn also_logged_in(app: &TestApp, user: &User) -> User {
    let account = user.call(Method::GET, "/users/me").await.expect(200);
    User::new(app, &account, &app.log_in(&user.email).await.expect(200))
}

async fn is_in(user: &User) -> bool {
    user.call(Method::GET, "/messages/quota").await.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_one_by_one_and_together() {
    let app = TestApp::setup().several(3).start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let phone = also_logged_in(&app, &ada).await;
    let list = ada.call(Method::GET, "/auth/sessions").header("user-agent", "x").await.expect(200);
    let sessions = list["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let current: Vec<_> = sessions.iter().filter(|session| session["current"] == true).collect();
    assert_eq!(current.len(), 1);
    let other = sessions.iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/auth/sessions/{}", other["id"].as_str().unwrap());

    // Nobody ends another's.
    eve.call(Method::DELETE, &path).await.problem(404, "not-found");
    eve.call(Method::DELETE, "/auth/sessions/x").await.problem(404, "not-found");
    assert!(is_in(&phone).await);
    assert_eq!(ada.call(Method::DELETE, &path).await.status, 204);
    assert!(!is_in(&phone).await && is_in(&ada).await && is_in(&eve).await);
    assert_eq!(ada.call(Method::DELETE, &path).await.status, 204, "twice is no error");

    let laptop = also_logged_in(&app, &ada).await;
    assert_eq!(ada.call_on(1, Method::DELETE, "/auth/sessions").await.status, 204);
    for user in [&ada, &laptop] {
        for host in 0..3 {
            user.send_by(host, "hello").await.problem(401, "unauthorized");
            user.call_on(host, Method::GET, "/users/me").await.problem(401, "unauthorized");
        }
        let refresh = app.post("/auth/refresh").json(&json!({ "refresh_token": user.refresh_token }));
        refresh.await.problem(401, "bad-refresh-token");
    }
    assert!(is_in(&eve).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_count_with_the_next_message_whatever_the_token_says() {
    let app = TestApp::with("free_limit", 1).several(3).start().await;
    let ada = app.user("ada").await;
    let root = app.administrator().await;
    ada.send("the free one").await.expect(200);
    ada.send("one too many").await.expect(429);
    let set = async |change: Value| {
        root.call(Method::PATCH, &format!("/users/{}", ada.id)).json(&change).await.expect(200)
    };
    set(json!({ "paid_access": true })).await;
    for host in 0..3 {
        assert_eq!(ada.send_by(host, "hello").await.expect(200)["provider"], "paid");
    }
    set(json!({ "paid_access": false })).await;
    for host in 0..3 {
        ada.send_by(host, "hello").await.expect(429);
    }
    ada.call(Method::GET, "/users").await.problem(403, "forbidden");
    set(json!({ "role": "admin" })).await;
    ada.call(Method::GET, "/users").await.expect(200);
    set(json!({ "role": "user" })).await;
    ada.call(Method::GET, "/users").await.problem(403, "forbidden");
    set(json!({ "active": false })).await;
    assert!(!is_in(&ada).await);
    app.log_in(&ada.email).await.problem(401, "bad-credentials");
    set(json!({ "active": true })).await;
    assert!(!is_in(&ada).await, "who was out stays out");
    app.log_in(&ada.email).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_other_sessions() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let elsewhere = also_logged_in(&app, &ada).await;
    let change = async |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        ada.call(Method::POST, "/auth/password").json(&body).await
    };
    change("wrong", "another good one").await.problem(401, "bad-credentials");
    for poor in ["short", "password123", "Qwertyuiop", ada.email.as_str(), "ada@EXAMPLE.com"] {
        change(PASSWORD, poor).await.problem(422, "invalid-fields");
    }
    assert!(is_in(&elsewhere).await);
    let long = "passphrase of many words ".repeat(8);
    assert_eq!(change(PASSWORD, &long).await.status, 204);
    assert!(is_in(&ada).await && !is_in(&elsewhere).await);
    app.log_in(&ada.email).await.problem(401, "bad-credentials");
    let log_in = app.post("/auth/login").json(&json!({ "username": ada.email, "password": long }));
    log_in.await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_changed_and_names_stay_unique() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let change = async |user: &User, body: Value| user.call(Method::PATCH, "/users/me").json(&body).await;
    let changed = change(&ada, json!({ "full_name": "Ada Lovelace", "phone": "+44 20" })).await.expect(200);
    assert_eq!((&changed["full_name"], &changed["phone"]), (&json!("Ada Lovelace"), &json!("+44 20")));
    change(&ada, json!({ "username": "ada" })).await.problem(422, "invalid-fields");
    let named = json!({ "username": " Ada ", "current_password": PASSWORD });
    assert_eq!(change(&ada, named.clone()).await.expect(200)["username"], "ada");
    change(&eve, named).await.problem(409, "account-exists");
    let email = json!({ "email": "ADA@example.com", "current_password": PASSWORD });
    change(&eve, email).await.problem(409, "account-exists");
    let email = json!({ "email": "eve@example.org", "current_password": "wrong" });
    change(&eve, email).await.problem(401, "bad-credentials");
    // Nobody grants himself anything.
    let wish =
        json!({ "role": "admin", "paid_access": true, "active": true, "verified": true, "phone": "1" });
    let same = change(&eve, wish).await.expect(200);
    assert_eq!(
        (&same["role"], &same["paid_access"], &same["verified"]),
        (&json!("user"), &json!(false), &json!(false))
    );
    for name in ["ada", "ADA", "ada@example.com"] {
        let log_in = app.post("/auth/login").json(&json!({ "username": name, "password": PASSWORD }));
        log_in.await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_gone_with_its_sessions_and_its_number() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let delete = async |password: &str| {
        ada.call(Method::DELETE, "/users/me").json(&json!({ "current_password": password })).await
    };
    delete("wrong").await.problem(401, "bad-credentials");
    assert_eq!(delete(PASSWORD).await.status, 204);
    assert!(!is_in(&ada).await);
    app.log_in(&ada.email).await.problem(401, "bad-credentials");
    let again = app.user("ada").await;
    assert_ne!(again.id, ada.id);
    assert!(!is_in(&ada).await && is_in(&again).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_revoked_by_who_holds_it_and_introspected_by_services() {
    let app = TestApp::start().await;
    let (ada, service) = (app.user("ada").await, app.user("service").await);
    let root = app.administrator().await;
    let introspect = async |who: &User, token: &str| {
        who.call(Method::POST, "/auth/introspect").form(&[("token", token)]).await
    };
    introspect(&ada, &ada.access).await.problem(403, "forbidden");
    let headers = [("x-user-id", "1"), ("admin", "true"), ("authorization", "Bearer x")];
    for (name, value) in headers {
        let call = app.post("/auth/introspect").header(name, value).form(&[("token", &ada.access)]);
        call.await.problem(401, "unauthorized");
    }
    let role =
        root.call(Method::PATCH, &format!("/users/{}", service.id)).json(&json!({ "role": "service" }));
    role.await.expect(200);

    let access = introspect(&service, &ada.access).await.expect(200);
    assert_eq!((&access["active"], &access["sub"]), (&json!(true), &json!(ada.id.to_string())));
    assert_eq!((&access["role"], &access["paid_access"]), (&json!("user"), &json!(false)));
    let refresh = introspect(&service, &ada.refresh_token).await.expect(200);
    assert_eq!((&refresh["active"], &refresh["token_type"]), (&json!(true), &json!("refresh_token")));
    let inactive = json!({ "active": false });
    for token in ["", "x", "a.b.c", &format!("{}A", ada.access)] {
        assert_eq!(introspect(&service, token).await.expect(200), inactive);
        assert_eq!(app.post("/auth/revoke").form(&[("token", token)]).await.status, 200);
    }
    assert!(is_in(&ada).await);
    assert_eq!(introspect(root, "x").await.expect(200), inactive);
    let none = service.call(Method::POST, "/auth/introspect").form(&[]).await.expect(400);
    assert_eq!(none["error"], "invalid_request");

    assert_eq!(app.post("/auth/revoke").form(&[("token", &ada.refresh_token)]).await.status, 200);
    assert!(!is_in(&ada).await);
    for token in [&ada.access, &ada.refresh_token] {
        assert_eq!(introspect(&service, token).await.expect(200), inactive);
        assert_eq!(app.post("/auth/revoke").form(&[("token", token)]).await.status, 200);
    }
}
