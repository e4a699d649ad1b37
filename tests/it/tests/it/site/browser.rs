//! A browser: it keeps cookies, says where its forms come from, and goes where a response sends it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use http::Method;

use crate::harness::{Answer, Call, PASSWORD, TestApp};

/// What a browser says that it takes.
const ACCEPTED: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

pub(super) struct Browser<'a> {
    app: &'a TestApp,
    language: &'static str,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    pub(super) fn new(app: &'a TestApp) -> Self {
        Self::reading(app, "en")
    }

    /// One whose owner reads this language.
    pub(super) fn reading(app: &'a TestApp, language: &'static str) -> Self {
        Self { app, language, cookies: Mutex::default() }
    }

    /// One whose owner has just registered.
    pub(super) async fn of(app: &'a TestApp, name: &str) -> Self {
        let browser = Self::new(app);
        let form = browser.get("/register").await;
        let email = format!("{name}@example.com");
        browser.submit(&form, "/register", &[("email", &email), ("password", PASSWORD)]).await.is(200);
        browser
    }

    fn call(&self, method: Method, path: &str) -> Call {
        let call = self.app.call(0, method, path).header("accept", ACCEPTED);
        let cookies = self.cookies.lock().unwrap();
        let cookies: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let call = call.header("accept-language", self.language);
        if cookies.is_empty() { call } else { call.header("cookie", &cookies.join("; ")) }
    }

    /// The page at this path, or where that leads.
    pub(super) async fn get(&self, path: &str) -> Page {
        self.follow(self.call(Method::GET, path).await).await
    }

    /// Sends a form of a page, with its hidden fields, to where it says; the page it leads to.
    pub(super) async fn submit(&self, page: &Page, action: &str, typed: &[(&str, &str)]) -> Page {
        self.follow(self.submitted(page, action, typed).await).await
    }

    /// The same, without going on.
    pub(super) async fn submitted(&self, page: &Page, action: &str, typed: &[(&str, &str)]) -> Answer {
        let hidden = page.hidden(action);
        let fields: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // As a page says that must not be named: Chrome sends no origin then.
        let call =
            self.call(Method::POST, action).header("sec-fetch-site", "same-origin").header("origin", "null");
        let answer = call.form(&[&fields, typed].concat()).await;
        self.keep(&answer);
        answer
    }

    /// A form from another site's page.
    pub(super) async fn lured(&self, action: &str, typed: &[(&str, &str)], header: (&str, &str)) -> Answer {
        self.call(Method::POST, action).header(header.0, header.1).form(typed).await
    }

    async fn follow(&self, mut answer: Answer) -> Page {
        self.keep(&answer);
        while answer.status == 303 {
            answer = self.call(Method::GET, answer.header("location")).await;
            self.keep(&answer);
        }
        Page(answer)
    }

    fn keep(&self, answer: &Answer) {
        let mut cookies = self.cookies.lock().unwrap();
        for line in answer.headers.get_all("set-cookie") {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            match rest.split(';').next().unwrap() {
                "" => cookies.remove(name),
                value => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }

    /// Forgets the session, as when its time is over.
    pub(super) fn lose_session(&self) {
        self.cookies.lock().unwrap().remove("octo_handler_user");
    }

    /// The cookies that it has.
    pub(super) fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().unwrap().clone()
    }

    /// Has exactly these cookies.
    pub(super) fn restore(&self, cookies: BTreeMap<String, String>) {
        *self.cookies.lock().unwrap() = cookies;
    }
}

/// A page that has arrived.
pub(super) struct Page(pub(super) Answer);

impl Page {
    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.0.status, status, "{}", self.0.text());
        assert_eq!(self.0.header("content-type"), "text/html; charset=utf-8");
        self
    }

    #[track_caller]
    pub(super) fn has(self, parts: &[&str]) -> Self {
        let text = self.0.text();
        for part in parts {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        self
    }

    #[track_caller]
    pub(super) fn lacks(self, part: &str) -> Self {
        assert!(!self.0.text().contains(part), "{part:?} in {}", self.0.text());
        self
    }

    /// The hidden fields of the form with this action.
    #[track_caller]
    fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let text = self.0.text();
        let form = text.split("<form").skip(1).find(|form| form.contains(&format!("action=\"{action}\"")));
        let form = form.unwrap_or_else(|| panic!("no form for {action}: {text}"));
        let form = form.split("</form>").next().unwrap();
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
        let field = |field: &str| {
            let mut parts = field.split('"');
            let name = parts.next().unwrap().to_owned();
            (name, parts.nth(1).unwrap().to_owned())
        };
        fields.map(field).collect()
    }

    /// What the page names that belongs to it.
    pub(super) fn assets(&self) -> Vec<String> {
        let text = self.0.text();
        let mut names: Vec<_> =
            text.split('"').filter(|part| part.starts_with("/assets/")).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }
}
