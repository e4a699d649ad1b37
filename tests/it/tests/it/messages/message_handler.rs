//! The routes and bodies of the original message handler, as its own clients use them.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{TestApp, User};

const NOTHING_LEFT: &str = "Бесплатных сообщений не осталось. Доступ к платному провайдеру отсутствует";

fn path(provider: &str, token: &str, message: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token)
        .append_pair("message", message)
        .finish();
    format!("/{provider}?{query}")
}

async fn send(app: &TestApp, user: &User, provider: &str, message: &str) -> Value {
    app.post(&path(provider, &user.access, message)).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_the_query_is_reversed_whichever_provider_it_names() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for (message, response) in
        [("hello world", "dlrow olleh"), ("абв", "вба"), ("a+b&c=d%20", "02%d=c&b+a"), ("", "")]
    {
        for provider in ["free_provider", "paid_provider"] {
            let body = send(&app, &ada, provider, message).await;
            assert_eq!(body, json!({ "ok": true, "response": response }));
        }
    }
    // It really was routed.
    assert_eq!(app.free_provider().books().await.windows, [8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_messages_at_once_take_exactly_the_ten_free_ones_of_the_day() {
    let app = TestApp::with("free_limit", 1000).start().await;
    let (mut ada, bob) = (app.user("ada").await, app.user("bob").await);
    let calls = (0..40).map(|number| app.post(&path("free_provider", &ada.access, &format!("m{number}"))));
    let answers = futures::future::join_all(calls.map(IntoFuture::into_future)).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(taken, 10);
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.expect(403), json!({ "detail": { "ok": false, "response": NOTHING_LEFT } }));
    }
    assert_eq!(app.free_provider().books().await.windows, [10]);
    // Another user's are untouched, and so are those of the next day.
    send(&app, &bob, "free_provider", "hello").await;
    app.post(&path("paid_provider", &ada.access, "hello")).await.expect(403);
    app.clock().advance(std::time::Duration::from_secs(86_400));
    ada.refresh(&app).await;
    send(&app, &ada, "free_provider", "hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_paid_access_is_served_when_the_free_messages_are_used_up() {
    let app = TestApp::with("free_limit", 1000).start().await;
    let ada = app.paying_user("ada").await;
    for _ in 0..12 {
        assert_eq!(send(&app, &ada, "free_provider", "abc").await, json!({ "ok": true, "response": "cba" }));
    }
    assert_eq!(app.free_provider().books().await.windows, [10]);
    assert_eq!(app.paid_provider().books().await.metered_total, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_valid_gets_the_originals_answer() {
    let app = TestApp::start().await;
    for provider in ["free_provider", "paid_provider"] {
        let answer = app.post(&path(provider, "x.y.z", "hello")).await;
        let body = json!({ "detail": { "details": "Невозможно провалидировать данные в токене" } });
        assert_eq!(answer.expect(403), body);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_parameter_is_listed_as_the_original_does() {
    let app = TestApp::start().await;
    let missing = |name: &str| {
        format!(
            r#"{{"type":"missing","loc":["query","{name}"],"msg":"Field required","input":null,"url":"https://errors.pydantic.dev/2.6/v/missing"}}"#
        )
    };
    let (token, message) = (missing("token"), missing("message"));
    for (query, errors) in
        [("", format!("{token},{message}")), ("?token=x", message.clone()), ("?message=x", token.clone())]
    {
        let answer = app.post(&format!("/free_provider{query}")).json(&json!({ "message": "x" })).await;
        answer.expect(422);
        assert_eq!(answer.text(), format!(r#"{{"detail":[{errors}]}}"#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirections_are_confirmed_and_slashes_and_methods_answered_like_the_original() {
    let app = TestApp::start().await;
    for (path, sentence) in [
        ("/free_provider/redirected", "Ваш запрос был перенаправлен на бесплатный провайдер."),
        ("/paid_provider/redirected", "Ваш запрос был перенаправлен на платный провайдер."),
    ] {
        let answer = app.get(path).await;
        answer.expect(200);
        assert_eq!(answer.text(), format!(r#"{{"ok":true,"response":"{sentence}"}}"#));
        assert_eq!(app.post(path).await.expect(405), json!({ "detail": "Method Not Allowed" }));
    }
    let answer = app.call(0, Method::GET, "/free_provider").await;
    assert_eq!(answer.expect(405), json!({ "detail": "Method Not Allowed" }));
    assert_eq!(answer.header("allow"), "POST");
    let answer = app.post("/free_provider/?token=x&message=y").await;
    assert_eq!(answer.status, 307);
    assert!(answer.header("location").ends_with("/free_provider?token=x&message=y"));
    assert_eq!(app.get("/free_provider/else").await.expect(404), json!({ "detail": "Not Found" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_query_appears_in_no_log() {
    let app = TestApp::with("free_limit", 1).start().await;
    let ada = app.user("ada").await;
    send(&app, &ada, "free_provider", "hello").await;
    app.post(&path("paid_provider", &ada.access, "hello")).await.expect(403);
    app.post(&format!("/free_provider/?token={}", ada.access)).await;
    app.post(&format!("/free_provider?token={}", ada.access)).await;
    let log = app.log();
    assert!(log.contains("/free_provider"), "{log}");
    assert!(!log.contains(&ada.access), "{log}");
}
