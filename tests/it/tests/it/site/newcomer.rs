//! From the first look at the front page to a message that is paid for, with nothing but links and forms.

use crate::harness::{PASSWORD, TestApp};

use super::browser::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_registers_sends_past_the_quota_buys_and_sends_on() {
    let app = TestApp::with("free_limit", 2).start().await;
    let browser = Browser::new(&app);
    browser.get("/").await.is(200).has(&["href=\"/register\"", "Log in to see it live"]);

    let form = browser.get("/register").await.is(200);
    let typed = [("email", "ada@example.com"), ("password", PASSWORD)];
    let mut page = browser.submit(&form, "/register", &typed).await.is(200).has(&["ada@example.com"]);
    for used in 1..=2 {
        page = browser.submit(&page, "/console", &[("message", "abc")]).await.is(200);
        let quota = format!("Used: {used} of 2");
        page = page.has(&["<output>cba</output>", "the free provider", "the free quota had room", &quota]);
    }
    page = browser.submit(&page, "/console", &[("message", "abc")]).await.is(429);
    page = page.has(&["The free quota of this window is used up.", "Try again in", "\nabc</textarea>"]);
    page.has(&["href=\"/subscription\""]);

    let page = browser.get("/subscription").await.is(200).has(&["You have no paid access"]);
    let bought =
        browser.submit(&page, "/subscription", &[]).await.is(200).has(&["active", "<td>bought</td>"]);
    let page = browser.get("/console").await.is(200);
    let page = browser.submit(&page, "/console", &[("message", "abc")]).await.is(200);
    page.has(&["<output>cba</output>", "the paid provider", "the free quota of this window is used up"]);

    let page = browser.submit(&bought, "/subscription/1/cancel", &[]).await.is(200);
    let page = page.has(&["canceled", "<td>bought</td>", "<td>canceled</td>"]);
    let console = browser.get("/console").await.is(200);
    browser.submit(&console, "/console", &[("message", "abc")]).await.is(429);
    let page = browser.submit(&page, "/subscription/1/restart", &[]).await.is(200);
    page.has(&["active", "<td>restarted</td>"]);
    browser
        .get("/subscription")
        .await
        .is(200)
        .has(&["You have paid access"])
        .lacks("action=\"/subscription\"");
    browser.get("/").await.is(200).has(&["Used: 2 of 2", "<td class=\"number\">1</td>", "ada@example.com"]);
}
