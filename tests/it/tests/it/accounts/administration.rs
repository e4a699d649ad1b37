//! What administrators may do, and the log they leave.

use http::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;

fn emails(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_listed_and_searched_page_by_page() {
    let app = TestApp::start().await;
    for name in ["ada", "adam", "bob", "zoe"] {
        app.register(&format!("{name}@example.com")).await.expect(201);
    }
    let root = app.administrator().await;
    let page = async |query: &str| root.call(Method::GET, &format!("/users{query}")).await.expect(200);
    let first = page("?limit=2").await;
    assert_eq!(emails(&first), ["ada@example.com", "adam@example.com"]);
    let second = page(&format!("?limit=2&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!(emails(&second), ["bob@example.com", "zoe@example.com"]);
    let third = page(&format!("?limit=2&after={}", second["next"].as_str().unwrap())).await;
    assert_eq!((emails(&third), &third["next"]), (vec!["root@example.com"], &Value::Null));

    assert_eq!(emails(&page("?email=ADA").await), ["ada@example.com", "adam@example.com"]);
    let first = page("?email=ada&limit=1").await;
    assert_eq!(emails(&first), ["ada@example.com"]);
    let next = first["next"].as_str().unwrap();
    assert_eq!(emails(&page(&format!("?email=ada&limit=1&after={next}")).await), ["adam@example.com"]);
    assert_eq!(emails(&page("?email=%25").await), [""; 0]);
    for query in ["?limit=0", "?limit=101", "?limit=x", "?after=x", "?email=a&username=b"] {
        root.call(Method::GET, &format!("/users{query}")).await.problem(422, "invalid-fields");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_is_in_the_log() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let root = app.administrator().await;
    let path = format!("/users/{}", ada.id);
    root.call(Method::PATCH, &path).json(&json!({ "paid_access": true })).await.expect(200);
    let sessions = root.call(Method::GET, &format!("{path}/sessions")).await.expect(200);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    assert_eq!(root.call(Method::DELETE, &format!("{path}/sessions")).await.status, 204);
    ada.send("hello").await.problem(401, "unauthorized");
    assert_eq!(root.call(Method::DELETE, &path).await.status, 204);
    root.call(Method::DELETE, &path).await.problem(404, "not-found");

    let log = root.call(Method::GET, &format!("/auth/audit?user={}", ada.id)).await.expect(200);
    let acts: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| &entry["act"]).collect();
    assert_eq!(acts, ["change-account", "end-sessions", "delete-account"]);
    assert_eq!(log["items"][0]["actor"], root.id);
    assert_eq!(log["items"][0]["detail"], r#"{"paid_access":true}"#);
    let all = root.call(Method::GET, "/auth/audit?limit=1").await.expect(200);
    assert_eq!(all["items"][0]["act"], "make-first-administrator");
    assert!(all["next"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.administrator().await;
    let own = format!("/users/{}", ada.id);
    for (method, path) in [
        (Method::GET, "/users"),
        (Method::GET, "/auth/audit"),
        (Method::GET, &own),
        (Method::PATCH, &own),
        (Method::DELETE, &own),
        (Method::GET, &format!("{own}/sessions")),
        (Method::DELETE, &format!("{own}/sessions")),
    ] {
        let call = ada.call(method.clone(), path).json(&json!({ "role": "admin" }));
        call.await.problem(403, "forbidden");
        let header = app.call(0, method.clone(), path).header("x-user-id", "2").header("admin", "true");
        assert_eq!(header.await.status, 401, "{method} {path}");
    }
    assert_eq!(ada.call(Method::GET, "/users/me").await.expect(200)["role"], "user");
}
