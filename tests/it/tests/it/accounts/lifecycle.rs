//! Accounts from their names to their ends: who may be the last to go, what is forgotten, and what may be kept.

use futures::future::join_all;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::harness::{Answer, BOOTSTRAP_SECRET, PASSWORD, Setup, TestApp, User};

const JOBS_KEY: &str = "the key of the scheduler";

fn setup() -> Setup {
    TestApp::with("jobs_key", JOBS_KEY)
}

/// Has everything done that is due.
async fn drain(app: &TestApp) {
    while app.post("/internal/jobs/drain").bearer(JOBS_KEY).await.expect(200)["more"] == true {}
}

async fn change(by: &User, id: i64, change: Value) -> Answer {
    by.call(Method::PATCH, &format!("/users/{id}")).json(&change).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_active_administrator_cannot_leave() {
    let app = TestApp::start().await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    let refuses_all = async || {
        for wanted in [json!({ "active": false }), json!({ "role": "user" }), json!({ "role": "service" })] {
            change(root, root.id, wanted).await.problem(409, "last-administrator");
        }
        let own = root.call(Method::DELETE, "/users/me").json(&json!({ "current_password": PASSWORD }));
        own.await.problem(409, "last-administrator");
        root.call(Method::DELETE, &format!("/users/{}", root.id)).await.problem(409, "last-administrator");
        root.call(Method::GET, "/users").await.expect(200);
    };
    refuses_all().await;
    // The message handler's superusers, too.
    let update = json!({
        "id": root.id, "email": root.email, "free_messages_left": 0, "refresh_at": "2027-01-16",
        "paid_access": false, "is_active": false, "is_superuser": true, "is_verified": false
    });
    let cookie = format!("octo_handler_user={}", root.access);
    let path = format!("/users/{}", root.id);
    let answer = app.patch(&path).header("cookie", &cookie).json(&update).await;
    answer.problem(409, "last-administrator");

    change(root, ada.id, json!({ "role": "admin" })).await.expect(200);
    change(root, ada.id, json!({ "active": false })).await.expect(200);
    refuses_all().await;
    change(root, ada.id, json!({ "active": true })).await.expect(200);
    change(root, root.id, json!({ "active": false })).await.expect(200);
    // The secret makes nobody administrator while there is one.
    let bob = app.user("bob").await;
    let make = app.post("/auth/administrators").bearer(BOOTSTRAP_SECRET).json(&json!({ "email": bob.email }));
    make.await.problem(409, "no-first-administrator");
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_who_demote_each_other_at_once_leave_one() {
    let app = TestApp::setup().several(2).start().await;
    let root = app.administrator().await;
    let mut last: Option<User> = None;
    for round in 0..8 {
        let before = last.as_ref().unwrap_or(root);
        let mut pair = Vec::new();
        for name in ["a", "b"] {
            let user = app.user(&format!("{name}{round}")).await;
            change(before, user.id, json!({ "role": "admin" })).await.expect(200);
            pair.push(user);
        }
        // The two are the only ones: an inactive one does not count.
        change(&pair[0], before.id, json!({ "active": false })).await.expect(200);
        demote_each_other(&app, &pair).await;
        let mut left = Vec::new();
        for user in pair {
            if user.call(Method::GET, "/users").await.status == 200 {
                left.push(user);
            }
        }
        assert_eq!(left.len(), 1, "round {round}");
        last = left.pop();
    }
}

/// Each demotes the other, through another host.
async fn demote_each_other(app: &TestApp, pair: &[User]) {
    let hosts = app.hosts().len();
    let acts = [(0, 1), (1, 0)].map(|(by, of)| {
        let path = format!("/users/{}", pair[of].id);
        pair[by].call_on(by % hosts, Method::PATCH, &path).json(&json!({ "role": "user" })).into_future()
    });
    let statuses: Vec<u16> = join_all(acts).await.iter().map(|answer| answer.status).collect();
    // The second may have been an administrator no more when it was looked at.
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(statuses.iter().any(|status| matches!(status, 403 | 409)), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deleted_is_forgotten_everywhere() {
    let app = setup().start().await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    let named = ada.call(Method::PATCH, "/users/me").json(&json!({ "full_name": "Ada Lovelace" }));
    named.await.expect(200);
    let bought = ada.call(Method::POST, "/subscriptions").await.expect(201);
    assert_eq!(bought["full_name"], "Ada Lovelace");
    let canceled = ada.call(Method::POST, "/subscriptions").await.expect(201);
    let path = |id: &Value, what: &str| format!("/subscriptions/{id}{what}");
    ada.call(Method::POST, &path(&canceled["id"], "/cancel")).await.expect(200);
    ada.call(Method::DELETE, "/users/me").json(&json!({ "current_password": PASSWORD })).await;

    // Nothing begins again, whether its event was heard or not.
    let restart = async |id: &Value| root.call(Method::POST, &path(id, "/restart")).await;
    restart(&bought["id"]).await.problem(404, "not-found");
    restart(&canceled["id"]).await.problem(404, "not-found");
    drain(&app).await;
    restart(&bought["id"]).await.problem(404, "not-found");
    let purchase = root.call(Method::POST, "/subscriptions").json(&json!({ "user_id": ada.id })).await;
    purchase.problem(404, "not-found");

    let list = root.call(Method::GET, "/subscriptions").await.expect(200);
    for subscription in list["items"].as_array().unwrap() {
        assert_eq!((&subscription["status"], &subscription["full_name"]), (&json!("CANCELED"), &json!("")));
    }
    let history = root.call(Method::GET, &path(&bought["id"], "/history")).await.expect(200);
    let lines: Vec<_> = history["items"].as_array().unwrap().iter().map(|line| &line["type"]).collect();
    assert_eq!(lines, ["SUBSCRIPTION_PURCHASED", "SUBSCRIPTION_CANCELED"]);
    let id = &history["items"][1]["correlation_id"];
    assert_eq!(id, &format!("account-deleted/{}/{}", ada.id, bought["id"]));
    let jobs = root.call(Method::GET, "/internal/jobs").await.expect(200);
    assert_eq!(jobs["items"], json!([]), "every consumer has heard of it");
    assert!(!app.log().contains("Lovelace"));
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_are_away_hear_of_an_end_when_they_are_back() {
    let app = setup().start().await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    let bought = ada.call(Method::POST, "/subscriptions").await.expect(201);
    let own = format!("/subscriptions/{}", bought["id"]);
    app.host().faults().outbound("subscriptions", octo_host::OutboundFault::Status(503));
    assert_eq!(root.call(Method::DELETE, &format!("/users/{}", ada.id)).await.status, 204);
    // What one consumer has to do does not wait for the other.
    app.post("/internal/jobs/drain").bearer(JOBS_KEY).await.expect(200);
    let queues = root.call(Method::GET, "/internal/jobs").await.expect(200);
    assert_eq!(queues["items"][0]["queue"], "subscriptions/account-events");
    assert_eq!(queues["items"].as_array().unwrap().len(), 1);
    app.host().faults().outbound("subscriptions", octo_host::OutboundFault::None);
    drain(&app).await;
    assert_eq!(root.call(Method::GET, &own).await.expect(200)["status"], "CANCELED");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_and_one_password_in_every_spelling() {
    let app = TestApp::start().await;
    let register = async |email: &str, password: &str| {
        app.post("/auth/register").json(&json!({ "email": email, "password": password })).await
    };
    let account = register("zoe\u{308}@bu\u{308}cher.example", "cafe\u{301} cre\u{300}me").await.expect(201);
    assert_eq!(account["email"], "zo\u{eb}@b\u{fc}cher.example");
    for spelling in ["zo\u{eb}@b\u{fc}cher.example", "ZO\u{cb}@xn--bcher-kva.example"] {
        register(spelling, PASSWORD).await.problem(409, "account-exists");
        let log_in = json!({ "username": spelling, "password": "caf\u{e9}\u{a0}cr\u{e8}me" });
        app.post("/auth/login").json(&log_in).await.expect(200);
        let found = app.administrator().await.call(Method::GET, "/users?email=ZOE%CC%88").await.expect(200);
        assert_eq!(found["items"][0]["id"], account["id"]);
    }
    for bad in [
        "a..b@example.com",
        "ada.@example.com",
        "ada@example.com.",
        "<ada@example.com>",
        "a\u{200b}da@example.com",
        "\u{202e}ada@example.com",
        "ada@exa\u{ad}mple.com",
        &format!("{}@example.com", "x".repeat(65)),
    ] {
        let problem = register(bad, PASSWORD).await.problem(422, "invalid-fields");
        assert_eq!(problem["errors"][0]["pointer"], "/email", "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_does_not_become_its_accounts_name() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let new = "Countess1815";
    let change = json!({ "current_password": PASSWORD, "new_password": new });
    assert_eq!(ada.call(Method::POST, "/auth/password").json(&change).await.status, 204);
    for name in [json!({ "username": "countess1815" }), json!({ "email": "countess1815@example.com" })] {
        let mut change = name;
        change["current_password"] = json!(new);
        let answer = ada.call(Method::PATCH, "/users/me").json(&change).await;
        answer.problem(422, "invalid-fields");
    }
    // The message handler's clients change an address without the password, shortly after a login.
    let form = [("username", ada.email.as_str()), ("password", new)];
    let log_in = app.post("/auth/login").form(&form).await;
    let cookie = log_in.header("set-cookie").split(';').next().unwrap().to_owned();
    let update = json!({
        "id": ada.id, "email": "countess1815@example.com", "free_messages_left": 0,
        "refresh_at": "2027-01-16", "paid_access": false
    });
    let answer = app.patch("/users/me").header("cookie", &cookie).json(&update).await;
    assert_eq!(answer.expect(400)["detail"]["code"], "UPDATE_USER_INVALID_PASSWORD");
    let both = json!({
        "id": ada.id, "email": "analytical@example.com", "password": "Analytical", "free_messages_left": 0,
        "refresh_at": "2027-01-16", "paid_access": false
    });
    let answer = app.patch("/users/me").header("cookie", &cookie).json(&both).await;
    assert_eq!(answer.expect(400)["detail"]["code"], "UPDATE_USER_INVALID_PASSWORD");
    assert_eq!(ada.call(Method::GET, "/users/me").await.expect(200)["email"], ada.email);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_kept_is_the_clients_mistake() {
    let app = TestApp::start().await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    let nul = "A\u{0}da";
    for field in ["full_name", "phone"] {
        for text in [nul, "A\nda", "\u{1b}[2J"] {
            let mut new = json!({ "email": "new@example.com", "password": PASSWORD });
            new[field] = json!(text);
            let problem = app.post("/auth/register").json(&new).await.problem(422, "invalid-fields");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"));
            let mut change = json!({});
            change[field] = json!(text);
            ada.call(Method::PATCH, "/users/me").json(&change).await.problem(422, "invalid-fields");
            let form = app.call(0, Method::PUT, "/user-api/users/me").bearer(&ada.access);
            assert_eq!(form.form(&[(field, text)]).await.status, 422);
        }
    }
    let shop = json!({ "username": "bob", "full_name": nul, "phone": nul, "password": PASSWORD });
    assert_eq!(app.post("/user-api/users/register").json(&shop).await.status, 422);
    let loyalty = json!({ "email": "bob@example.com", "password": PASSWORD, "name": nul });
    assert_eq!(app.post("/auth/registration").json(&loyalty).await.status, 400);
    for (by, path) in [
        (root, "/users?email=a%00"),
        (root, "/users?username=a%00"),
        (root, "/users?email=a&after=a%00"),
        (root, "/internal/jobs/dead?queue=a%00"),
        (&ada, "/auth/sessions?after=a%00"),
        (root, &format!("/users/{}/sessions?after=%00", ada.id)),
    ] {
        by.call(Method::GET, path).await.problem(422, "invalid-fields");
    }
    // Whatever else a client sends is never our fault.
    for text in [nul, "\u{0}"] {
        for answer in [
            app.post("/auth/login").json(&json!({ "username": text, "password": text })).await,
            app.post("/auth/login").json(&json!({ "email": format!("{text}@x"), "password": text })).await,
            app.post("/auth/login").form(&[("username", text), ("password", text)]).await,
            app.post("/auth/refresh").json(&json!({ "refresh_token": text })).await,
            app.post("/auth/refresh").json(&json!({ "token": text })).await,
            app.post("/auth/revoke").form(&[("token", text)]).await,
            app.post("/user-api/token").form(&[("username", text), ("password", text)]).await,
            app.post("/auth/administrators")
                .bearer(BOOTSTRAP_SECRET)
                .json(&json!({ "email": format!("{text}@example.com") }))
                .await,
            ada.call(Method::DELETE, "/auth/sessions/%00").await,
            ada.call(Method::GET, "/subscriptions/replies/a%00").await,
            ada.call(Method::GET, "/subscriptions/%00").await,
        ] {
            assert!(answer.status < 500, "{} {}", answer.status, answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_to_the_end() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for _ in 0..6 {
        app.log_in(&ada.email).await.expect(200);
    }
    let root = app.administrator().await;
    let theirs = format!("/users/{}/sessions", ada.id);
    for (by, path) in [(&ada, "/auth/sessions"), (root, theirs.as_str())] {
        let whole = by.call(Method::GET, path).await.expect(200);
        assert_eq!((whole["items"].as_array().unwrap().len(), &whole["next"]), (7, &Value::Null));
        let (mut seen, mut query) = (Vec::new(), "?limit=3".to_owned());
        loop {
            let page = by.call(Method::GET, &format!("{path}{query}")).await.expect(200);
            seen.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            query = format!("?limit=3&after={next}");
        }
        assert_eq!(&json!(seen), &whole["items"]);
        by.call(Method::GET, &format!("{path}?limit=101")).await.problem(422, "invalid-fields");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_legacy_rules_made_has_no_right_and_no_login_without_them() {
    let app = setup().with("legacy_rules", "on").start().await;
    let register = async |app: &TestApp, name: &str, password: &str| {
        let new = json!({ "username": name, "full_name": "x", "phone": "", "password": password });
        app.post("/user-api/users/register").json(&new).await.expect(200)
    };
    let token = async |app: &TestApp, name: &str, password: &str| {
        app.post("/user-api/token").form(&[("username", name), ("password", password)]).await
    };
    assert_eq!(register(&app, "admin_eve", PASSWORD).await["is_admin"], true);
    assert_eq!(register(&app, "admin_empty", "").await["is_admin"], true);
    register(&app, "demo", "password123").await;
    let eve =
        token(&app, "admin_eve", PASSWORD).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    app.get("/users").bearer(&eve).await.expect(200);

    let app = app.restart(&[("legacy_rules", "off")]).await;
    // The start says so.
    let request = Request::get("/internal/settings").body(bytes::Bytes::new()).unwrap();
    let told: Value = serde_json::from_slice(app.host().call("auth", request).await.unwrap().body()).unwrap();
    assert_eq!(told, json!({ "administrators_without_right": 2 }));
    // A token from before opens nothing of an administrator's, here at once, elsewhere after the first upkeep.
    app.get("/users").bearer(&eve).await.problem(403, "forbidden");
    drain(&app).await;
    app.get("/internal/jobs").bearer(&eve).await.problem(403, "forbidden");
    assert!(app.log().contains("legacy_rules is off"), "{}", app.log());
    for (name, password) in [("admin_empty", ""), ("demo", "password123")] {
        assert_eq!(token(&app, name, password).await.status, if password.is_empty() { 422 } else { 401 });
        let ours = json!({ "username": name, "password": password });
        app.post("/auth/login").json(&ours).await.problem(401, "bad-credentials");
    }
    let me =
        token(&app, "admin_eve", PASSWORD).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.get("/user-api/users/me").bearer(&me).await.expect(200)["is_admin"], false);
    app.get("/users").bearer(&me).await.problem(403, "forbidden");
    // They are in nobody's way.
    let root = app.administrator().await;
    root.call(Method::GET, "/users").await.expect(200);

    let app = app.restart(&[("legacy_rules", "on")]).await;
    token(&app, "demo", "password123").await.expect(200);
    let again =
        token(&app, "admin_eve", PASSWORD).await.expect(200)["access_token"].as_str().unwrap().to_owned();
    app.get("/users").bearer(&again).await.expect(200);
}
