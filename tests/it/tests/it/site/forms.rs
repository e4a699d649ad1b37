//! What forms do when they are sent twice, late, wrong, or from elsewhere.

use futures::future::join;
use http::Method;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, not_on_spin};

use super::browser::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_twice_has_one_effect_and_one_result() {
    let app = TestApp::start().await;
    let browser = Browser::new(&app);
    let form = browser.get("/register").await.is(200);
    let typed = [("email", "ada@example.com"), ("password", PASSWORD)];
    for _ in 0..2 {
        browser.submit(&form, "/register", &typed).await.is(200).has(&["action=\"/console\""]);
    }
    app.clear_records();
    let form = browser.get("/console").await.is(200);
    let message = [("message", "abc")];
    let (one, other) =
        join(browser.submit(&form, "/console", &message), browser.submit(&form, "/console", &message)).await;
    let again = browser.submit(&form, "/console", &message).await;
    let id = |page: &super::browser::Page| {
        let text = page.0.text();
        let (_, after) = text.split_once("<dt>Message</dt><dd><code>").unwrap_or_else(|| panic!("{text}"));
        after.split('<').next().unwrap().to_owned()
    };
    assert_eq!((id(&one), id(&one)), (id(&other), id(&again)));
    assert_eq!(app.provider_calls().len(), 1);
    let form = browser.get("/subscription").await.is(200);
    for _ in 0..2 {
        browser.submit(&form, "/subscription", &[]).await.is(200).has(&["<h1>Subscription 1</h1>"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_sends_no_form_and_nothing_changes() {
    let app = TestApp::start().await;
    let browser = Browser::of(&app, "ada").await;
    let form = browser.get("/subscription").await.is(200);
    browser.submit(&form, "/subscription", &[]).await.is(200);
    let cookies = browser.cookies();
    app.clear_records();
    let forms: [(&str, &[(&str, &str)]); 8] = [
        ("/login", &[("username", "ada@example.com"), ("password", PASSWORD)]),
        ("/register", &[("email", "eve@example.com"), ("password", PASSWORD)]),
        ("/logout", &[]),
        ("/language", &[("language", "ru")]),
        ("/console", &[("message", "abc"), ("key", "k")]),
        ("/subscription", &[("key", "k")]),
        ("/subscription/1/cancel", &[("key", "k")]),
        ("/subscription/1/restart", &[("key", "k")]),
    ];
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for (action, typed) in forms {
            let answer = browser.lured(action, typed, header).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (403, ""), "{action} {header:?}");
        }
    }
    assert_eq!(app.provider_calls().len(), 0);
    assert_eq!(browser.cookies(), cookies);
    browser.get("/subscription").await.is(200).has(&["You have paid access"]);
    let eve = json!({ "username": "eve@example.com", "password": PASSWORD });
    app.post("/auth/login").json(&eve).await.problem(401, "bad-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_field_is_said_in_the_readers_language() {
    let app = TestApp::start().await;
    for (language, address, password, common) in [
        (
            "en",
            "must be an e-mail address",
            "must have at least 8 characters",
            "passwords that are guessed first",
        ),
        ("ru", "нужен адрес электронной почты", "нужно не меньше 8 знаков", "угадывают одним из первых"),
    ] {
        let browser = Browser::reading(&app, language);
        let form = browser.get("/register").await.is(200);
        let typed = [("email", "ada at example"), ("password", "hunter2")];
        let page = browser.submit(&form, "/register", &typed).await.is(422);
        let page = page.has(&[address, password, "value=\"ada at example\"", "aria-invalid=\"true\""]);
        let page = page.has(&["aria-describedby=\"email-error\"", "id=\"email-error\""]);
        let page = page.has(&["aria-describedby=\"password-error password-hint\"", "id=\"password-hint\""]);
        page.lacks("hunter2");
        let typed = [("email", "ada@example.com"), ("password", "password1")];
        browser.submit(&form, "/register", &typed).await.is(422).has(&[common]);
        // A body that is no form has none of its fields.
        let form = app.post("/login").header("accept-language", language).body("{}").await;
        assert_eq!(form.status, 422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_a_form_is_open_loses_nothing() {
    let app = TestApp::start().await;
    let browser = Browser::of(&app, "ada").await;
    let form = browser.get("/console").await.is(200);
    browser.lose_session();
    let page = browser.submit(&form, "/console", &[("message", "abc")]).await.is(422);
    let page = page.has(&["Your session has ended.", "\nabc</textarea>"]);
    let wrong = [("message", "abc"), ("username", "ada@example.com"), ("password", "wrong")];
    let page = browser.submit(&page, "/console", &wrong).await.is(422).has(&["\nabc</textarea>"]);
    let right = [("message", "abc"), ("username", "ada@example.com"), ("password", PASSWORD)];
    browser.submit(&page, "/console", &right).await.is(200).has(&["<output>cba</output>"]);
    browser.get("/console").await.is(200).has(&["ada@example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_the_session_everywhere() {
    let app = TestApp::start().await;
    let browser = Browser::of(&app, "grace").await;
    let page = browser.get("/console").await.is(200);
    let cookies = browser.cookies();
    browser
        .submit(&page, "/logout", &[])
        .await
        .is(200)
        .has(&["Log in to see it live"])
        .lacks("grace@example.com");
    browser.get("/console").await.is(200).has(&["action=\"/login\""]);
    // Who has kept the cookie has nothing.
    let token = cookies["octo_handler_user"].clone();
    browser.restore(cookies);
    browser.get("/console").await.is(200).has(&["action=\"/login\""]).lacks("grace@example.com");
    app.call(0, Method::GET, "/users/me").bearer(&token).await.problem(401, "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_by_the_page_holds_up_nobody_else() {
    not_on_spin("a clock that stands still");
    let app = TestApp::with("trusted_proxies", 1).start().await;
    app.register("ada@example.com").await.expect(201);
    let log_in = async |source: &str, password: &str| {
        let call = app.post("/login").header("x-forwarded-for", &format!("198.51.100.1, {source}"));
        call.form(&[("username", "ada@example.com"), ("password", password)]).await.status
    };
    assert_eq!(log_in("192.0.2.1", PASSWORD).await, 303);
    for _ in 0..6 {
        assert_eq!(log_in("203.0.113.1", "wrong").await, 422);
    }
    assert_eq!(log_in("203.0.113.1", "wrong").await, 429);
    // The pages call sign-on from one place, and yet only the guesser has to wait.
    for source in ["192.0.2.1", "192.0.2.77"] {
        assert_eq!(log_in(source, PASSWORD).await, 303, "{source}");
    }
}
