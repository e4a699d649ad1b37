//! The pages over an API that says what a test has it say.

use std::sync::Arc;

use http::{Request, Response as HttpResponse, StatusCode};
use octo_core::{SendError, sql::NoSql, testing::FakeHttp};
use octo_http::{
    App, Response,
    testing::{app, open_routes, send},
};
use serde_json::{Value, json};

use crate::API;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// An answer of the API.
type Says = Result<HttpResponse<Vec<u8>>, SendError>;

fn says(status: u16, body: &Value) -> Says {
    Ok(HttpResponse::builder().status(status).body(body.to_string().into_bytes()).unwrap())
}

fn problem(status: u16, kind: &str, errors: &Value) -> Says {
    says(
        status,
        &json!({ "type": format!("urn:octo:problem:{kind}"), "detail": "In detail.", "errors": errors }),
    )
}

fn account() -> Says {
    says(200, &json!({ "id": 7, "email": "ada@example.com", "username": null, "paid_access": false }))
}

fn tokens() -> Says {
    says(200, &json!({ "access_token": "a.b.c", "expires_in": 900, "refresh_token": "r" }))
}

fn quota(used: i64) -> Says {
    says(
        200,
        &json!({
            "limit": 1000, "used": used, "remaining": 1000 - used,
            "window": { "ends_at": "2027-01-15T08:01:00.000Z" }, "closed_because": null, "free_reopens_at": null,
        }),
    )
}

fn stats() -> Says {
    let window = json!({
        "starts_at": "2027-01-15T08:00:00.000Z", "messages": 4, "free": 2, "paid": 1, "refused": 1, "failed": 0,
        "paid_by_reason": { "free_exhausted": 1 },
    });
    says(200, &json!({ "total": window, "windows": [window] }))
}

fn processed() -> Says {
    says(
        200,
        &json!({ "id": "m-1", "response": "<b>cba</b>", "provider": "free", "reason": "free_available" }),
    )
}

/// The pages, the API behind them, and what a browser has.
struct Browser {
    app: App,
    api: Arc<FakeHttp>,
    headers: Vec<(&'static str, &'static str)>,
}

impl Browser {
    fn new(answers: impl IntoIterator<Item = Says>) -> Self {
        let api = Arc::new(answers.into_iter().fold(FakeHttp::default(), FakeHttp::will));
        let app = App { http: api.clone(), ..app("site", &[], NoSql) };
        Self { app, api, headers: vec![("accept", BROWSER)] }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn logged_in(self) -> Self {
        self.with("cookie", "octo_handler_user=a.b.c")
    }

    fn send(&self, request: http::request::Builder, body: &str) -> Response {
        let request =
            self.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        send(&API, &self.app, request.body(body.as_bytes().to_vec()).unwrap())
    }

    fn get(&self, path: &str) -> Page {
        Page(self.send(Request::get(path), ""))
    }

    fn post(&self, path: &str, form: &str) -> Page {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        Page(self.send(request, form))
    }

    /// What the API was asked for: method, URL, and the body.
    fn asked(&self) -> Vec<String> {
        let requests = self.api.requests.borrow();
        let line = |request: &Request<Vec<u8>>| {
            let url = request.uri().to_string().replace("http://", "").replace(".spin.internal", "");
            format!("{} {url} {}", request.method(), String::from_utf8_lossy(request.body()))
        };
        requests.iter().map(line).collect()
    }

    fn sent_header(&self, request: usize, name: &str) -> String {
        let requests = self.api.requests.borrow();
        requests[request]
            .headers()
            .get(name)
            .map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }
}

struct Page(Response);

impl Page {
    fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    fn header(&self, name: &str) -> &str {
        self.0.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.body().clone()).unwrap()
    }

    #[track_caller]
    fn has(&self, parts: &[&str]) {
        let text = self.text();
        for part in parts {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> String {
        let text = self.text();
        let (_, after) = text.split_once(&format!("type=\"hidden\" name=\"{name}\" value=\"")).unwrap();
        after.split('"').next().unwrap().to_owned()
    }
}

fn plain(path: &str, accept: &str) -> (u16, String, String) {
    let app = app("site", &[], NoSql);
    let request = Request::get(path).header("accept", accept).body(Vec::new()).unwrap();
    let response = send(&API, &app, request);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, String::from_utf8(response.into_body()).unwrap())
}

#[test]
fn everybody_gets_an_answer_of_every_route() {
    assert_eq!(open_routes(&API, &app("site", &[], NoSql)).len(), API.routes.len());
}

#[test]
fn programs_get_json_and_people_a_text() {
    for path in ["/", "/problems", "/problems/invalid-fields"] {
        let (status, kind, body) = plain(path, "*/*");
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{path}");
        assert!(serde_json::from_str::<Value>(&body).unwrap().is_object());
        assert_eq!(plain(path, "text/plain").1, "text/plain; charset=utf-8", "{path}");
    }
}

#[test]
fn a_kind_of_problem_that_there_is_not_is_a_problem() {
    let (status, kind, _) = plain("/problems/else", "text/html");
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"));
}

#[test]
fn each_kind_has_a_section_with_a_text() {
    let (_, _, body) = plain("/problems", "application/json");
    let listed: Value = serde_json::from_str(&body).unwrap();
    let sections = crate::problems::REGISTRY.matches("\n## ").count();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), sections);
    assert!(items.iter().all(|item| !item["meaning"].as_str().unwrap().is_empty()));
}

#[test]
fn a_browser_gets_the_front_page_and_without_a_session_nobody_is_asked() {
    let browser = Browser::new([]);
    let page = browser.get("/");
    assert_eq!((page.status(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    page.has(&[
        "<html lang=\"en\">",
        "Log in to see it live",
        "curl -X POST http://127.0.0.1:3000/auth/register",
    ]);
    assert!(browser.asked().is_empty());
}

#[test]
fn no_page_has_a_script_or_a_style_in_it_and_none_may_be_kept_or_framed() {
    for path in ["/", "/login", "/register", "/console", "/subscription", "/subscription/1", "/live"] {
        let page = Browser::new([]).get(path);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        let text = page.text();
        for part in ["<style", " style=", " onclick=", "javascript:", "<script>"] {
            assert!(!text.contains(part), "{path}: {part}");
        }
    }
}

#[test]
fn assets_are_kept_for_ever_under_a_name_with_their_digest() {
    let browser = Browser::new([]);
    let text = browser.get("/").text();
    let names = text.split('"').filter(|part| part.starts_with("/assets/"));
    let names: std::collections::BTreeSet<_> = names.map(str::to_owned).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        let asset = browser.get(&name);
        assert_eq!(asset.status(), 200);
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        let tag = asset.header("etag");
        assert!(name.contains(tag.trim_matches('"')), "{name} {tag}");
        let request = Request::get(&name).header("if-none-match", format!("\"x\", W/{tag}"));
        let again = browser.send(request, "");
        assert_eq!((again.status(), again.body().len()), (StatusCode::NOT_MODIFIED, 0));
    }
    assert_eq!(browser.get("/assets/site.0000000000000000.css").status(), 404);
}

#[test]
fn the_quota_is_a_gauge_and_a_chart_with_a_table_each_with_a_text() {
    let browser = Browser::new([account(), quota(250), stats()]).logged_in();
    let page = browser.get("/");
    page.has(&[
        "role=\"img\" aria-label=\"Used: 250 of 1,000\"",
        "width=\"249\"",
        "<time datetime=\"2027-01-15T08:01:00.000Z\">15 Jan 2027, 08:01:00 UTC</time>",
        "<rect class=\"free\" x=\"0\" y=\"50\" width=\"28\" height=\"50\"/>",
        "<rect class=\"paid\" x=\"0\" y=\"25\" width=\"28\" height=\"25\"/>",
        "the free quota of this window is used up: 1",
        "ada@example.com",
    ]);
    let live = Browser::new([quota(250), stats()]).logged_in().get("/live");
    live.has(&["id=\"live-gauge\"", "id=\"live-chart\"", "id=\"live-windows\"", "id=\"live-total\""]);
    assert!(!live.text().contains("<html"));
}

#[test]
fn a_part_that_is_away_leaves_the_front_page_and_makes_others_say_so() {
    let away = || Err(SendError::TimedOut);
    let page = Browser::new([account(), away(), away()]).logged_in().get("/");
    assert_eq!(page.status(), 200);
    page.has(&["The quota cannot be shown at the moment."]);
    let page = Browser::new([away()]).logged_in().get("/console");
    assert_eq!(page.status(), 503);
    page.has(&["A part of Octo cannot be reached"]);
}

#[test]
fn pages_are_in_the_language_that_was_chosen() {
    let page =
        Browser::new([account(), quota(999), stats()]).logged_in().with("accept-language", "ru").get("/");
    page.has(&["<html lang=\"ru\">", "Занято: 999 из 1\u{a0}000", "15 янв. 2027, 08:01:00 UTC"]);
    let browser = Browser::new([]).with("accept-language", "ru");
    let chosen = browser.post("/language", "language=en&onward=/login");
    assert_eq!((chosen.status(), chosen.header("location")), (303, "/login"));
    assert!(chosen.header("set-cookie").starts_with("octo_language=en; HttpOnly; Max-Age="));
    let odd = browser.post("/language", "language=xx&onward=//evil.example");
    assert_eq!((odd.header("location"), odd.header("set-cookie")), ("/", ""));
}

#[test]
fn who_registers_is_logged_in_as_by_the_api() {
    let browser = Browser::new([says(201, &json!({})), tokens()])
        .with("user-agent", "Browser/1")
        .with("x-forwarded-for", "198.51.100.7")
        .with("spin-client-addr", "192.0.2.1:80");
    let page = browser.post("/register", "email=+ada%40example.com+&password=+p+");
    assert_eq!((page.status(), page.header("location")), (303, "/console"));
    assert_eq!(
        page.header("set-cookie"),
        "octo_handler_user=a.b.c; HttpOnly; Max-Age=900; Path=/; SameSite=lax"
    );
    assert_eq!(
        browser.asked(),
        [
            r#"POST auth/auth/register {"email":"ada@example.com","password":" p "}"#,
            r#"POST auth/auth/login {"password":" p ","username":"ada@example.com"}"#,
        ]
    );
    assert_eq!(browser.sent_header(1, "user-agent"), "Browser/1");
    assert_eq!(browser.sent_header(1, "x-forwarded-for"), "198.51.100.7, 192.0.2.1:80");
}

#[test]
fn a_registration_that_is_sent_twice_ends_the_same_and_one_of_another_does_not() {
    let taken = || problem(409, "account-exists", &json!([]));
    let again = Browser::new([taken(), tokens()]).post("/register", "email=a%40b.c&password=p");
    assert_eq!((again.status(), again.header("location")), (303, "/console"));
    let wrong = Browser::new([taken(), problem(401, "bad-credentials", &json!([]))]);
    let page = wrong.post("/register", "email=a%40b.c&password=secret-1");
    assert_eq!((page.status(), page.header("set-cookie")), (422, ""));
    page.has(&["There is an account with this address", "value=\"a@b.c\""]);
}

#[test]
fn a_wrong_field_is_marked_and_described_and_what_was_typed_is_kept_but_for_the_password() {
    let errors = json!([
        { "pointer": "/email", "rule": "must be an e-mail address of at most 254 bytes, such as ada@example.com" },
        { "pointer": "/password", "rule": "must have at least 8 characters and at most 1024 bytes" },
    ]);
    for (language, rule) in [("en", "must be an e-mail address"), ("ru", "нужен адрес электронной почты")]
    {
        let browser =
            Browser::new([problem(422, "invalid-fields", &errors)]).with("accept-language", language);
        let page = browser.post("/register", "email=%22%3E%3Cx&password=hunter2");
        assert_eq!(page.status(), 422);
        page.has(&[rule, "value=\"&#34;&#62;&#60;x\"", "id=\"password-hint\""]);
        let text = page.text();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.matches("aria-invalid=\"true\"").count(), 2);
        assert_all_described(&text);
    }
}

/// Each field has a label, and what is said to describe it is there.
#[track_caller]
fn assert_all_described(text: &str) {
    let values = |name: &str| {
        let parts: Vec<_> = text.split(&format!(" {name}=\"")).skip(1).collect();
        parts.into_iter().map(|part| part.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ids = values("id");
    for id in values("aria-describedby").iter().flat_map(|ids| ids.split(' ')) {
        assert!(ids.iter().any(|its| its == id), "{id} is not there: {text}");
    }
    for id in values("for") {
        assert!(ids.contains(&id), "a label of nothing: {id}");
    }
    let fields =
        text.split(['<', '>']).filter(|tag| tag.starts_with("input ") || tag.starts_with("textarea "));
    for field in fields.filter(|field| !field.contains("type=\"hidden\"")) {
        let id = field.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("");
        assert!(values("for").iter().any(|its| its == id), "no label: {field}");
    }
}

#[test]
fn a_login_leads_where_it_was_asked_for_and_nowhere_else() {
    let page = Browser::new([tokens()]).post("/login", "username=ada&password=p&onward=/subscription");
    assert_eq!((page.status(), page.header("location")), (303, "/subscription"));
    let page = Browser::new([tokens()]).post("/login", "username=ada&password=p&onward=//evil.example/");
    assert_eq!(page.header("location"), "/console");
    for odd in ["https://evil.example/", "/login", "/register"] {
        let page = Browser::new([]).get(&format!("/login?onward={odd}"));
        assert_eq!(page.hidden("onward"), "/console");
    }
    let wrong = Browser::new([problem(401, "bad-credentials", &json!([]))]);
    let page = wrong.post("/login", "username=ada&password=secret-1&onward=/subscription");
    assert_eq!((page.status(), page.hidden("onward").as_str()), (422, "/subscription"));
    assert!(page.text().contains("value=\"ada\"") && !page.text().contains("secret-1"));
    assert_all_described(&page.text());
}

#[test]
fn a_page_of_another_site_sends_no_form_of_ours() {
    let forms = [
        "/login",
        "/register",
        "/logout",
        "/language",
        "/console",
        "/subscription",
        "/subscription/1/cancel",
        "/subscription/1/restart",
    ];
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for path in forms {
            let browser = Browser::new([]).logged_in().with(name, value);
            let page = browser.post(path, "username=a&password=p&email=e&message=m&language=ru");
            assert_eq!((page.status(), page.header("set-cookie")), (403, ""), "{path} {name}: {value}");
            page.has(&["A page of another site sent this request"]);
            assert!(browser.asked().is_empty(), "{path}");
        }
    }
    // What Chrome sends from our own forms, which must not say where they are.
    let own = Browser::new([tokens()]).with("sec-fetch-site", "same-origin").with("origin", "null");
    assert_eq!(own.post("/login", "username=a&password=p").status(), 303);
}

#[test]
fn a_logout_ends_the_session_and_what_cannot_be_ended_is_said() {
    let browser = Browser::new([says(204, &json!(null))]).logged_in();
    let page = browser.post("/logout", "");
    assert_eq!((page.status(), page.header("location")), (303, "/"));
    assert!(page.header("set-cookie").starts_with("octo_handler_user=; HttpOnly; Max-Age=0"));
    assert_eq!(browser.asked(), ["POST auth/auth/logout "]);
    assert_eq!(browser.sent_header(0, "authorization"), "Bearer a.b.c");
    let over = Browser::new([problem(401, "unauthorized", &json!([]))]).logged_in();
    assert_eq!(over.post("/logout", "").status(), 303);
    let away = Browser::new([Err(SendError::TimedOut)]).logged_in().post("/logout", "");
    assert_eq!((away.status(), away.header("set-cookie")), (503, ""));
}

#[test]
fn pages_for_members_lead_others_to_the_login_and_back() {
    for path in ["/console", "/subscription", "/subscription/12"] {
        for browser in [
            Browser::new([]),
            Browser::new([problem(401, "unauthorized", &json!([]))]).logged_in(),
            Browser::new([]).with("cookie", "octo_handler_user="),
        ] {
            let page = browser.get(path);
            assert_eq!((page.status(), page.header("location")), (303, &*format!("/login?onward={path}")));
        }
    }
}

#[test]
fn a_message_is_sent_once_with_the_key_of_the_form_and_its_result_explained() {
    let browser = Browser::new([processed(), account(), quota(1), stats()]).logged_in();
    let page = browser.post("/console", "key=k-1&message=it%27s%0D%0Aabc");
    assert_eq!(page.status(), 200);
    assert_eq!(browser.asked()[0], r#"POST router/messages {"message":"it's\nabc"}"#);
    assert_eq!(browser.sent_header(0, "idempotency-key"), "\"k-1\"");
    page.has(&[
        "<output>&#60;b&#62;cba&#60;/b&#62;</output>",
        "the free provider",
        "the free quota had room",
        "-H &#39;idempotency-key: k-1&#39;",
        "Used: 1 of 1,000",
    ]);
    assert!(!page.text().contains("a.b.c"), "the token is in no page");
    // The next message is another one.
    assert_ne!(page.hidden("key"), "k-1");
    assert_all_described(&page.text());
}

#[test]
fn a_form_that_is_sent_again_while_the_first_is_under_way_waits_for_its_result() {
    let busy = || problem(409, "idempotency-key-in-flight", &json!([]));
    let browser = Browser::new([busy(), busy(), processed(), account(), quota(1), stats()]).logged_in();
    let page = browser.post("/console", "key=k-1&message=abc");
    assert_eq!(page.status(), 200);
    page.has(&["m-1"]);
    assert!((0..3).all(|request| browser.sent_header(request, "idempotency-key") == "\"k-1\""));
}

#[test]
fn what_was_typed_is_there_after_a_refusal_and_the_key_is_the_same_where_it_helps() {
    let refused = |answer: Says| {
        let browser = Browser::new([answer, account(), quota(1000), stats()]).logged_in();
        let page = browser.post("/console", "key=k-1&message=%3Cabc%3E");
        page.has(&["\n&#60;abc&#62;</textarea>"]);
        (page.status(), page.hidden("key") == "k-1", page.text())
    };
    let (status, same, text) = refused(problem(429, "free-quota-exhausted", &json!([])));
    assert_eq!((status, same), (429, true));
    assert!(text.contains("Buy a subscription to go on at once"));
    let rule = json!([{ "pointer": "/message", "rule": "must be 1 to 65536 bytes of UTF-8; it has 0" }]);
    let (status, same, text) = refused(problem(422, "invalid-fields", &rule));
    assert_eq!((status, same), (422, true));
    assert_all_described(&text);
    assert_eq!(text.matches("aria-invalid=\"true\"").count(), 1);
    // The same key would get the same answer for ever.
    assert!(!refused(problem(502, "free-provider-failed", &json!([]))).1);
    assert!(!refused(problem(422, "idempotency-key-reused", &json!([]))).1);
    // Without an answer it may have been processed.
    assert!(refused(Err(SendError::TimedOut)).1);
}

#[test]
fn a_session_that_ended_while_the_form_was_open_loses_nothing() {
    let over = Browser::new([problem(401, "unauthorized", &json!([]))]).logged_in();
    for browser in [over, Browser::new([])] {
        let page = browser.post("/console", "key=k-1&message=abc");
        assert_eq!((page.status(), page.hidden("key").as_str()), (422, "k-1"));
        page.has(&["Your session has ended.", "\nabc</textarea>", "name=\"username\"", "name=\"password\""]);
        assert_all_described(&page.text());
    }
    let wrong = Browser::new([problem(401, "bad-credentials", &json!([]))]);
    let page = wrong.post("/console", "key=k-1&message=abc&username=ada&password=secret-1");
    assert_eq!((page.status(), page.hidden("key").as_str()), (422, "k-1"));
    page.has(&["The name or the password is wrong.", "\nabc</textarea>", "value=\"ada\""]);
    assert!(!page.text().contains("secret-1"));
    let again = Browser::new([tokens(), processed(), account(), quota(1), stats()]);
    let page = again.post("/console", "key=k-1&message=abc&username=ada&password=p");
    assert_eq!(page.status(), 200);
    assert!(page.header("set-cookie").starts_with("octo_handler_user=a.b.c;"));
    assert_eq!(again.sent_header(1, "authorization"), "Bearer a.b.c");
    assert_eq!(again.sent_header(1, "idempotency-key"), "\"k-1\"");
}

fn subscription(status: &str) -> Says {
    let subscription = json!({
        "id": 3, "user_id": 7, "full_name": "", "status": status,
        "created_at": "2027-01-15T08:00:30.000Z", "updated_at": null,
    });
    says(if status == "ACTIVE" { 201 } else { 200 }, &subscription)
}

#[test]
fn a_subscription_is_bought_and_changed_with_the_key_of_the_form() {
    for (path, api) in [
        ("/subscription", "POST subscriptions/subscriptions "),
        ("/subscription/3/cancel", "POST subscriptions/subscriptions/3/cancel "),
        ("/subscription/3/restart", "POST subscriptions/subscriptions/3/restart "),
    ] {
        let browser = Browser::new([subscription("ACTIVE")]).logged_in();
        let page = browser.post(path, "key=k-1");
        assert_eq!((page.status(), page.header("location")), (303, "/subscription/3"));
        assert_eq!(
            (browser.asked()[0].as_str(), browser.sent_header(0, "idempotency-key")),
            (api, "\"k-1\"".into())
        );
    }
    let waiting = Browser::new([says(202, &json!({ "status": "waiting" }))]).logged_in();
    assert_eq!(waiting.post("/subscription", "key=k").header("location"), "/subscription?waiting=1");
    assert_eq!(Browser::new([]).post("/subscription/x/cancel", "").status(), 404);
}

#[test]
fn of_subscriptions_one_sees_ones_own() {
    let list = json!({ "items": [{
        "id": 3, "status": "CANCELED", "created_at": "2027-01-15T08:00:30.000Z", "updated_at": null
    }], "next": "Mw" });
    let browser = Browser::new([account(), says(200, &list)]).logged_in();
    let page = browser.get("/subscription?after=Mg%26user_id%3D8");
    // An administrator, too: the API would list everybody's.
    assert_eq!(browser.asked()[1], "GET subscriptions/subscriptions?user_id=7&limit=20 ");
    page.has(&[
        "href=\"/subscription/3\"",
        "canceled",
        "href=\"/subscription?after=Mw\"",
        "You have no paid access",
    ]);

    let history =
        json!({ "items": [{ "type": "SUBSCRIPTION_PURCHASED", "created_at": "2027-01-15T08:00:30.000Z" }] });
    let browser = Browser::new([account(), subscription("ACTIVE"), says(200, &history)]).logged_in();
    let page = browser.get("/subscription/3");
    page.has(&["action=\"/subscription/3/cancel\"", "<td>bought</td>"]);
    let missing = || problem(404, "not-found", &json!([]));
    let page = Browser::new([account(), missing(), missing()]).logged_in().get("/subscription/4");
    assert_eq!(page.status(), 404);
    page.has(&["There is nothing here, or it is not yours."]);
}

/// How bright a colour is (WCAG 2.2, "relative luminance").
fn luminance(colour: &str) -> f64 {
    let channel = |from: usize| f64::from(u8::from_str_radix(&colour[from..from + 2], 16).unwrap()) / 255.0;
    let linear = |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
    0.2126 * linear(channel(0)) + 0.7152 * linear(channel(2)) + 0.0722 * linear(channel(4))
}

#[test]
fn texts_and_borders_stand_out_by_day_and_by_night() {
    let style = include_str!("../assets/site.css");
    let colour = |name: &str, night: usize| {
        let (_, after) = style.split_once(&format!("--{name}: light-dark(#")).unwrap();
        luminance(after.split(", #").nth(night).unwrap())
    };
    for night in 0..2 {
        let contrast = |one: &str, other: &str| {
            let (one, other) = (colour(one, night), colour(other, night));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for ground in ["paper", "raised"] {
            for text in ["ink", "quiet", "accent", "wrong"] {
                let contrast = contrast(text, ground);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2} {night}");
            }
            for part in ["line", "free", "paid", "refused", "failed"] {
                let contrast = contrast(part, ground);
                assert!(contrast >= 3.0, "{part} on {ground}: {contrast:.2} {night}");
            }
        }
        assert!(contrast("on-accent", "accent") >= 4.5);
    }
}

#[test]
fn all_texts_are_there_in_every_language() {
    use crate::language::Language;
    let (en, ru) = (Language::English.texts(), Language::Russian.texts());
    let names =
        |table: &[(&'static str, &'static str)]| table.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    assert_eq!(names(en.reasons), names(ru.reasons));
    assert_eq!(names(en.events), names(ru.events));
    for kind in names(ru.problems).into_iter().chain(names(en.problems)) {
        assert!(crate::problems::REGISTRY.contains(&format!("\n## {kind}\n")), "no kind {kind}");
    }
    assert!(names(en.problems).iter().all(|kind| ru.problem(kind).is_some()));
}
