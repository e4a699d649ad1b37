//! The session cookie, and the pages of other sites that would like to use it.

use http::Method;
use serde_json::json;

use super::TestApp;
use super::harness::PASSWORD;

const FROM_ELSEWHERE: [(&str, &str); 4] = [
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
    ("origin", "https://evil.example"),
    ("origin", "null"),
];

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_cannot_use_the_cookie_to_change_anything() {
    let app = TestApp::start().await;
    let ada = app.paying_user("ada").await;
    app.clear_records();
    let cookie = format!("octo_handler_user={}", ada.access);
    for (name, value) in FROM_ELSEWHERE {
        let with = |method: Method, path: &str| {
            app.call(0, method, path).header("cookie", &cookie).header(name, value)
        };
        let message = with(Method::POST, "/messages").json(&json!({ "message": "hello" }));
        message.await.problem(401, "unauthorized");
        let profile = with(Method::PATCH, "/users/me").json(&json!({ "phone": "1" }));
        profile.await.problem(401, "unauthorized");
        assert_eq!(with(Method::POST, "/auth/logout").await.status, 401);
        with(Method::DELETE, "/auth/sessions").await.problem(401, "unauthorized");
        let login = app.post("/auth/login").header(name, value);
        login.form(&[("username", &ada.email), ("password", PASSWORD)]).await.problem(403, "another-site");
        // A token in the header is nobody's but the sender's.
        let message = ada.call(Method::POST, "/messages").header(name, value);
        message.json(&json!({ "message": "hello" })).await.expect(200);
    }
    assert_eq!(app.provider_calls().len(), FROM_ELSEWHERE.len());
    assert_eq!(ada.call(Method::GET, "/users/me").await.expect(200)["phone"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_pages_and_programs_may() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let cookie = format!("octo_handler_user={}", ada.access);
    let host = app.host().addr().to_string();
    for (name, value) in [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("origin", &format!("http://{host}")),
        ("origin", &format!("https://{host}")),
        ("x-nothing", "a program"),
    ] {
        let message = app.post("/messages").header("cookie", &cookie).header(name, value);
        message.json(&json!({ "message": "hello" })).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cookie_is_kept_from_scripts_and_other_sites() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let form = [("username", ada.email.as_str()), ("password", PASSWORD)];
    for (proto, secure) in [("http", false), ("https", true)] {
        for answer in [
            app.post("/auth/login").header("x-forwarded-proto", proto).form(&form).await,
            app.post("/auth/login")
                .header("x-forwarded-proto", proto)
                .json(&json!({ "username": ada.email, "password": PASSWORD }))
                .await,
        ] {
            let cookie = answer.header("set-cookie");
            for attribute in ["; HttpOnly", "; SameSite=lax", "; Path=/", "; Max-Age="] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
            assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
        }
    }
}
