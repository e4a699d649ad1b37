//! The key by which components of this application call sign-on: what it opens, and who cannot make one up.

use http::Method;
use serde_json::json;

use crate::harness::TestApp;

/// The keys the components keep in the store, by the component that is called.
const KEYS: [(&str, &str); 2] =
    [("auth", "the-key-for-sign-on"), ("paid-provider", "the-key-for-the-paid-provider")];

async fn app_with_keys() -> TestApp {
    let app = TestApp::setup().over_redis().start().await;
    for (component, key) in KEYS {
        app.redis().ask(&format!("SET octo/service-key/{component} {key}")).unwrap();
    }
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn the_applications_key_opens_introspection_and_nothing_else() {
    let app = app_with_keys().await;
    let ada = app.user("ada").await;
    let [(_, key), (_, anothers_key)] = KEYS;
    let introspect =
        app.post("/auth/introspect").bearer(key).form(&[("token", &ada.access)]).await.expect(200);
    assert_eq!((&introspect["active"], &introspect["sub"]), (&json!(true), &json!(ada.id.to_string())));
    for (method, path) in [
        (Method::GET, "/users"),
        (Method::GET, "/users/me"),
        (Method::PATCH, "/users/me"),
        (Method::DELETE, "/users/me"),
        (Method::GET, "/users/1"),
        (Method::PATCH, "/users/1"),
        (Method::DELETE, "/users/1"),
        (Method::GET, "/users/1/sessions"),
        (Method::DELETE, "/users/1/sessions"),
        (Method::GET, "/auth/sessions"),
        (Method::DELETE, "/auth/sessions"),
        (Method::GET, "/auth/audit"),
        (Method::POST, "/auth/keys"),
        (Method::POST, "/auth/password"),
        (Method::POST, "/auth/logout"),
        (Method::GET, "/auth/info"),
        (Method::GET, "/user-api/users/me"),
        (Method::PUT, "/user-api/users/me"),
        (Method::POST, "/messages"),
        (Method::GET, "/messages/quota"),
        (Method::GET, "/messages/stats"),
        (Method::GET, "/metrics"),
    ] {
        let answer = app.call(0, method.clone(), path).bearer(key).json(&json!({ "message": "x" })).await;
        assert_eq!(answer.status, 401, "{method} {path}");
    }
    // What other components ask for has no way in from outside.
    for path in ["/internal/accounts/1", "/auth/internal/accounts/1", "/users/../internal/accounts/1"] {
        assert_eq!(app.get(path).bearer(key).await.status, 404, "{path}");
    }
    let root = app.post("/auth/administrators").bearer(key).json(&json!({ "email": ada.email })).await;
    root.problem(403, "bad-bootstrap-secret");
    let message = app.post(&format!("/free_provider?token={key}&message=x")).await;
    assert_eq!(message.status, 403);
    let introspect = app.post("/auth/introspect").bearer(anothers_key).form(&[("token", &ada.access)]);
    introspect.await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_of_a_clients_own_making_authenticates() {
    let app = app_with_keys().await;
    let ada = app.user("ada").await;
    let [(_, key), _] = KEYS;
    let url = "http://auth.spin.internal/auth/introspect";
    for (name, value) in [
        ("x-service-key", key),
        ("x-api-key", key),
        ("cookie", &format!("octo_handler_user={key}")),
        ("authorization", key),
        ("authorization", &format!("Basic {key}")),
        ("authorization", "Bearer "),
        ("authorization", "Bearer the-key-for-sign-o"),
        ("authorization", "Bearer the-key-for-sign-onn"),
        ("x-user-id", "1"),
        ("admin", "true"),
        ("x-spin-component", "router"),
        ("spin-full-url", url),
        ("spin-client-addr", ""),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        for (method, path) in
            [(Method::POST, "/auth/introspect"), (Method::GET, "/users"), (Method::GET, "/auth/audit")]
        {
            let call = app.call(0, method, path).header(name, value).form(&[("token", &ada.access)]);
            assert_eq!(call.await.status, 401, "{path} with {name}: {value}");
        }
    }
    // The name of a component is no host.
    let call = app.post("/auth/introspect").header("host", "auth.spin.internal");
    let answer = call.form(&[("token", &ada.access)]).attempt().await;
    // Our own host says 400, a real Spin 404 or nothing.
    assert!(answer.is_none_or(|answer| matches!(answer.status, 400 | 404)));
}
