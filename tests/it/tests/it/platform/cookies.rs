//! The session cookie, and the pages of other sites that would like to use it.

use http::Method;
use serde_json::json;

use crate::harness::{Call, PASSWORD, TestApp, spin};

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
        let login = app.post("/auth/login").header(name, value);
        let login = login.json(&json!({ "username": ada.email, "password": PASSWORD })).await;
        login.problem(403, "another-site");
        let tokens = app.log_in(&ada.email).await.expect(200);
        let refresh = app.post("/auth/refresh").header(name, value);
        let refresh = refresh.json(&json!({ "refresh_token": tokens["refresh_token"] })).await;
        refresh.expect(200);
        assert_eq!(refresh.header("set-cookie"), "");
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
    let host = app.addresses()[0].to_string();
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
async fn a_cookie_of_somebody_else_does_not_hide_ours() {
    let app = TestApp::start().await;
    for foreign in ["n=ü".as_bytes(), b"n=\xfc", b"\xff", b"octo_handler_user2=x", b"=;;="] {
        if spin::chosen().is_some() && str::from_utf8(foreign).is_err() {
            // Spin answers 500 to it itself.
            continue;
        }
        let ada = app.user(&format!("ada{}", foreign.len() * 1000 + usize::from(foreign[0]))).await;
        let own = format!("octo_handler_user={}", ada.access);
        let both = |call: Call| {
            let line = [foreign, b"; ", own.as_bytes(), b"; z=\xc3\xbc"].concat();
            call.header_bytes("cookie", &line)
        };
        both(app.get("/users/me")).await.expect(200);
        both(app.post("/messages")).json(&json!({ "message": "hello" })).await.expect(200);
        let logout = both(app.post("/auth/logout")).await;
        assert_eq!(logout.status, 204, "{foreign:?}");
        app.get("/users/me").bearer(&ada.access).await.problem(401, "unauthorized");
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

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_may_read_answers_only_where_the_operator_says_so() {
    const PAGE: &str = "https://app.example";
    let app = TestApp::with("cors_origins", format!("https://other.example {PAGE}")).start().await;
    let ada = app.user("ada").await;
    for path in ["/messages", "/auth/login", "/users/me"] {
        let preflight = |origin: &str| {
            let call = app.call(0, Method::OPTIONS, path).header("origin", origin);
            call.header("access-control-request-method", "POST")
        };
        let allowed = preflight(PAGE).await;
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, PAGE));
        assert!(allowed.header("access-control-allow-headers").contains("authorization"));
        assert_eq!(allowed.header("access-control-allow-credentials"), "");
        let refused = preflight("https://evil.example").await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (204, ""));
    }
    let message = ada.call(Method::POST, "/messages").header("origin", PAGE);
    let answer = message.json(&json!({ "message": "hello" })).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, PAGE));
    // A refusal can be read, too; the cookie is no credential for such a page.
    let cookie = format!("octo_handler_user={}", ada.access);
    let message = app.post("/messages").header("cookie", &cookie).header("origin", PAGE);
    let answer = message.json(&json!({ "message": "hello" })).await;
    answer.problem(401, "unauthorized");
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);

    // It may sign people on, and gets no cookie.
    let login = app.post("/auth/login").header("origin", PAGE).header("sec-fetch-site", "cross-site");
    let login = login.json(&json!({ "username": ada.email, "password": PASSWORD })).await;
    login.expect(200);
    assert_eq!((login.header("access-control-allow-origin"), login.header("set-cookie")), (PAGE, ""));
    let evil = app.post("/auth/login").header("origin", "https://evil.example");
    let evil = evil.json(&json!({ "username": ada.email, "password": PASSWORD })).await;
    evil.problem(403, "another-site");

    let off = TestApp::start().await;
    let answer = off.get("/.well-known/jwks.json").header("origin", PAGE).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}
