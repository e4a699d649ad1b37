//! What holds for every page.

use http::Method;

use crate::harness::TestApp;

use super::browser::Browser;

const PAGES: [&str; 7] =
    ["/", "/console", "/live", "/login", "/register", "/subscription", "/subscription/1"];

/// The most that a page may weigh with all that belongs to it, in bytes.
const MOST: usize = 100_000;

/// An application with somebody who has sent a message and bought a subscription.
async fn used<'a>(app: &'a TestApp, name: &str) -> Browser<'a> {
    let browser = Browser::of(app, name).await;
    let page = browser.get("/console").await;
    browser.submit(&page, "/console", &[("message", "abc")]).await.is(200);
    let page = browser.get("/subscription").await;
    browser.submit(&page, "/subscription", &[]).await.is(200);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_small_protected_and_asks_no_other_site() {
    let app = TestApp::start().await;
    let member = used(&app, "ada").await;
    for (browser, who) in [(member, "a member"), (Browser::new(&app), "a stranger")] {
        for path in PAGES {
            let page = browser.get(path).await.is(200);
            let header = |name: &str| page.0.header(name).to_owned();
            let policy = header("content-security-policy");
            assert!(policy.contains("default-src 'none'"), "{who} {path}: {policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{who} {path}: {policy}");
            assert!(!policy.contains("unsafe"), "{who} {path}: {policy}");
            assert_eq!(header("cache-control"), "no-store", "{who} {path}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{who} {path}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{who} {path}");
            let text = page.0.text();
            for reference in text.split(" href=\"").chain(text.split(" src=\"")).skip(1) {
                assert!(!reference.starts_with("http") && !reference.starts_with("//"), "{who} {path}");
            }
            if text.contains("<html") {
                for part in ["<html lang=\"en\">", "<title>", "name=\"viewport\"", "<main id=\"main\""] {
                    assert!(text.contains(part), "{who} {path}: {part}");
                }
            }
            let mut weight = page.0.body.len();
            for asset in page.assets() {
                let asset = app.get(&asset).await;
                assert_eq!(
                    (asset.status, asset.header("cache-control")),
                    (200, "public, max-age=31536000, immutable")
                );
                weight += asset.body.len();
            }
            assert!(weight < MOST, "{who} {path}: {weight} bytes");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_what_is_somebody_elses() {
    let app = TestApp::start().await;
    let grace = used(&app, "grace").await;
    let bob = Browser::of(&app, "bob").await;
    bob.get("/subscription").await.is(200).has(&["You have no subscription yet.", "You have no paid access"]);
    bob.get("/subscription/1").await.is(404).lacks("bought");
    let own = grace.get("/subscription/1").await.is(200);
    for action in ["/subscription/1/cancel", "/subscription/1/restart"] {
        // With a form as her page has it.
        let answer = bob.lured(action, &[("key", "k")], ("sec-fetch-site", "same-origin")).await;
        assert_eq!(answer.status, 404, "{action}");
    }
    for path in PAGES {
        bob.get(path).await.lacks("grace@example.com");
    }
    grace.get("/subscription").await.is(200).has(&["You have paid access"]);
    grace.submit(&own, "/subscription/1/cancel", &[]).await.is(200).has(&["canceled"]);
    // Not even to administrators does the page for one's own show everybody's.
    let root = Browser::new(&app);
    let administrator = app.administrator().await;
    root.restore([("octo_handler_user".to_owned(), administrator.access.clone())].into());
    root.get("/subscription").await.is(200).has(&["root@example.com", "You have no subscription yet."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_is_for_browsers_and_others_get_what_they_always_got() {
    let app = TestApp::start().await;
    Browser::new(&app).get("/").await.is(200).has(&["<html lang=\"en\">"]);
    assert_eq!(app.get("/").await.expect(200)["name"], "Octo");
    let text = app.get("/").header("accept", "text/plain").await;
    assert_eq!((text.status, text.header("content-type")), (200, "text/plain; charset=utf-8"));
    let head = app.call(0, Method::HEAD, "/").header("accept", "text/html").await;
    assert_eq!((head.status, head.text().as_str()), (200, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_chooses_the_language() {
    let app = TestApp::start().await;
    let browser = Browser::reading(&app, "ru,en;q=0.5");
    let page = browser.get("/login").await.is(200).has(&["<html lang=\"ru\">", "Пароль"]);
    let page = browser.submit(&page, "/language", &[("language", "en")]).await.is(200);
    let page = page.has(&["<html lang=\"en\">", "action=\"/login\""]);
    browser.submit(&page, "/language", &[("language", "ru")]).await.is(200).has(&["<html lang=\"ru\">"]);
    let browser = Browser::of(&app, "ada").await;
    let page = browser.get("/subscription").await.is(200);
    browser
        .submit(&page, "/language", &[("language", "ru")])
        .await
        .is(200)
        .has(&["У вас нет платного доступа"]);
}
