//! The API of this application as a visitor uses it: with their token and nothing else. What the API refuses them, the pages
//! cannot do either.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use octo_core::{Clock, HttpOut, SendError, ports::CallLimits};
use octo_http::App;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::visitor::Visitor;

/// Less than a cloud gives a request, and more than any call takes that waits for a provider.
const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(27), max_answer: 1024 * 1024 };
/// How often the result of a request is asked for that is still under way, a second apart.
const LOOKS: u32 = 10;

/// The API, with the token of a visitor.
#[derive(Clone, Copy)]
pub(crate) struct Octo<'a> {
    pub(crate) app: &'a App,
    pub(crate) visitor: &'a Visitor,
    pub(crate) token: Option<&'a str>,
}

/// Why the API did not do what it was asked to.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// The last part of the problem's `type`.
    pub(crate) kind: String,
    /// The API's own words.
    pub(crate) detail: String,
    pub(crate) errors: Vec<WrongField>,
    /// Seconds until another attempt makes sense.
    pub(crate) retry_after: Option<u64>,
    pub(crate) request_id: Option<String>,
    /// Whether there was an answer at all.
    pub(crate) is_answered: bool,
}

/// A field that breaks a rule.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WrongField {
    pointer: String,
    pub(crate) rule: String,
}

impl WrongField {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.pointer.strip_prefix('/') == Some(name)
    }
}

impl Refused {
    pub(crate) fn new(status: StatusCode, kind: &str) -> Self {
        Self {
            status,
            kind: kind.to_owned(),
            detail: String::new(),
            errors: Vec::new(),
            retry_after: None,
            request_id: None,
            is_answered: true,
        }
    }

    fn unanswered() -> Self {
        Self { is_answered: false, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable") }
    }

    fn of(response: &http::Response<Vec<u8>>) -> Self {
        #[derive(Deserialize)]
        struct Problem {
            r#type: String,
            #[serde(default)]
            detail: String,
            #[serde(default)]
            errors: Vec<WrongField>,
        }
        let text = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let mut refused = Self::new(response.status(), "internal");
        if let Ok(problem) = serde_json::from_slice::<Problem>(response.body()) {
            let prefix = octo_core::problem::TYPE_PREFIX;
            refused.kind = problem.r#type.strip_prefix(prefix).unwrap_or("").to_owned();
            (refused.detail, refused.errors) = (problem.detail, problem.errors);
        }
        refused.retry_after = text("retry-after").and_then(|seconds| seconds.parse().ok());
        refused.request_id = text("x-request-id");
        refused
    }

    /// Whether there is no session, or not any more.
    pub(crate) fn is_logged_out(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && self.kind == "unauthorized"
    }
}

/// One call of the API.
struct Call<'a> {
    component: &'static str,
    method: Method,
    path: &'a str,
    body: Option<Value>,
    key: Option<&'a str>,
}

impl<'a> Call<'a> {
    fn get(component: &'static str, path: &'a str) -> Self {
        Self { component, method: Method::GET, path, body: None, key: None }
    }

    fn post(component: &'static str, path: &'a str) -> Self {
        Self { method: Method::POST, ..Self::get(component, path) }
    }
}

/// An account, to its owner.
#[derive(Debug, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: i64,
    email: Option<String>,
    username: Option<String>,
    pub(crate) paid_access: bool,
}

impl Account {
    pub(crate) fn name(&self) -> &str {
        self.username.as_deref().or(self.email.as_deref()).unwrap_or("")
    }
}

/// What a login gives.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) expires_in: u64,
}

/// The free quota.
#[derive(Debug, Deserialize)]
pub(crate) struct Quota {
    pub(crate) limit: i64,
    pub(crate) used: i64,
    pub(crate) remaining: i64,
    pub(crate) window: QuotaWindow,
    pub(crate) closed_because: Option<String>,
    pub(crate) free_reopens_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct QuotaWindow {
    pub(crate) ends_at: String,
}

/// What became of the messages.
#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    pub(crate) total: Counts,
    /// Newest first.
    pub(crate) windows: Vec<Window>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    pub(crate) starts_at: String,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Counts {
    pub(crate) messages: i64,
    pub(crate) free: i64,
    pub(crate) paid: i64,
    pub(crate) refused: i64,
    pub(crate) failed: i64,
    #[serde(default)]
    pub(crate) paid_by_reason: std::collections::BTreeMap<String, i64>,
}

/// A message that was processed.
#[derive(Debug, Deserialize)]
pub(crate) struct Processed {
    pub(crate) id: String,
    pub(crate) response: String,
    pub(crate) provider: String,
    pub(crate) reason: String,
}

/// A subscription, to its owner.
#[derive(Debug, Deserialize)]
pub(crate) struct Subscription {
    pub(crate) id: i64,
    status: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: Option<String>,
}

impl Subscription {
    pub(crate) fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }
}

/// What happened to a subscription.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) created_at: String,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

/// A purchase, cancel or restart.
pub(crate) enum Changed {
    /// It is done.
    Done(Subscription),
    /// It is written down, and will be done.
    Waiting,
}

impl Octo<'_> {
    pub(crate) async fn register(&self, email: &str, password: &str) -> Result<(), Refused> {
        let body = json!({ "email": email, "password": password });
        self.call(Call { body: Some(body), ..Call::post("auth", "/auth/register") }).await.map(drop)
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Result<Tokens, Refused> {
        let body = json!({ "username": username, "password": password });
        read(&self.call(Call { body: Some(body), ..Call::post("auth", "/auth/login") }).await?)
    }

    pub(crate) async fn log_out(&self) -> Result<(), Refused> {
        self.call(Call::post("auth", "/auth/logout")).await.map(drop)
    }

    pub(crate) async fn account(&self) -> Result<Account, Refused> {
        read(&self.call(Call::get("auth", "/users/me")).await?)
    }

    pub(crate) async fn quota(&self) -> Result<Quota, Refused> {
        read(&self.call(Call::get("router", "/messages/quota")).await?)
    }

    pub(crate) async fn stats(&self) -> Result<Stats, Refused> {
        read(&self.call(Call::get("router", "/messages/stats")).await?)
    }

    /// Sends a message. One that was sent already under this key is not sent again: its result is returned, if need be after
    /// waiting for it.
    pub(crate) async fn send(&self, message: &str, key: &str) -> Result<Processed, Refused> {
        let call = || Call {
            body: Some(json!({ "message": message })),
            key: Some(key),
            ..Call::post("router", "/messages")
        };
        let mut result = self.call(call()).await;
        for _ in 0..LOOKS {
            if !matches!(&result, Err(refused) if refused.kind == "idempotency-key-in-flight") {
                break;
            }
            self.app.clock.sleep(Duration::from_secs(1)).await;
            result = self.call(call()).await;
        }
        read(&result?)
    }

    pub(crate) async fn subscriptions(
        &self,
        owner: i64,
        after: Option<&str>,
    ) -> Result<Items<Subscription>, Refused> {
        // The text is the API's own: letters and digits.
        let after = after
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        let after = after.map_or(String::new(), |text| format!("&after={text}"));
        let path = format!("/subscriptions?user_id={owner}&limit=20{after}");
        read(&self.call(Call::get("subscriptions", &path)).await?)
    }

    pub(crate) async fn subscription(&self, id: i64) -> Result<Subscription, Refused> {
        read(&self.call(Call::get("subscriptions", &format!("/subscriptions/{id}"))).await?)
    }

    pub(crate) async fn history(&self, id: i64) -> Result<Items<Event>, Refused> {
        let path = format!("/subscriptions/{id}/history?limit=100");
        read(&self.call(Call::get("subscriptions", &path)).await?)
    }

    /// Buys a subscription, or changes one: `path` is that of the API.
    pub(crate) async fn change(&self, path: &str, key: &str) -> Result<Changed, Refused> {
        let response = self.call(Call { key: Some(key), ..Call::post("subscriptions", path) }).await?;
        if response.status() == StatusCode::ACCEPTED {
            return Ok(Changed::Waiting);
        }
        read(&response).map(Changed::Done)
    }

    async fn call(&self, call: Call<'_>) -> Result<http::Response<Vec<u8>>, Refused> {
        let Call { component, method, path, body, key } = call;
        let mut request =
            Request::builder().method(method).uri(format!("http://{component}.spin.internal{path}"));
        for (name, value) in self.headers(key) {
            request = request.header(name, value);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                body.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        // What a visitor sends may be unfit for a header field, as the text in a cookie.
        let request =
            request.body(body).map_err(|_| Refused::new(StatusCode::UNAUTHORIZED, "unauthorized"))?;
        let response =
            self.app.http.send(request, LIMITS).await.map_err(|_: SendError| Refused::unanswered())?;
        if response.status().is_success() { Ok(response) } else { Err(Refused::of(&response)) }
    }

    fn headers(&self, key: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("x-forwarded-for", self.visitor.forwarded.clone()),
            ("user-agent", self.visitor.browser.clone()),
        ];
        headers.extend(self.token.map(|token| ("authorization", format!("Bearer {token}"))));
        headers.extend(key.map(|key| ("idempotency-key", format!("\"{key}\""))));
        headers
    }
}

fn read<T: DeserializeOwned>(response: &http::Response<Vec<u8>>) -> Result<T, Refused> {
    serde_json::from_slice(response.body()).map_err(|_| Refused {
        status: StatusCode::BAD_GATEWAY,
        kind: "internal".into(),
        ..Refused::of(response)
    })
}
