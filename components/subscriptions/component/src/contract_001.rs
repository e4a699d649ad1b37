//! The routes of the original subscription service (contract 001), with its literal bodies: JSON under the name of HTML,
//! a subscription encoded twice.
//!
//! Different on purpose: a token is needed unless `legacy_rules` is on; an unknown user or subscription is answered at
//! once, not by a wait in vain; a body of the wrong shape is the client's fault on every route; both spellings of the
//! collection are served where they are asked for; an `Idempotency-Key` makes it safe to ask again.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql, UnixMillis};
use octo_http::{
    Request, Response, body,
    idempotency::{IdempotencyKey, Scope},
};
use octo_subscriptions::{Authority, Notification, Refusal, Reply, Status, Subscription};
use serde::Serialize;
use serde_json::Value;

use crate::{
    answers::{logged, refused},
    marshmallow::Schema,
    python_json,
    routes::Service,
    werkzeug,
};

const COLLECTION: &str = "/api/v1/subscriptions";

const BOTH: &str = "The fields 'canceled' and 'restarted' cant be TRUE at the same time !";
const NEITHER: &str = "The fields 'canceled' and 'restarted' cant be FALSE at the same time !";
const NO_REPLY: &str = "The server did not send a response";
const NO_USER: &str = "The user does not exist";
const NO_SUBSCRIPTION: &str = "The subscription does not exist";

/// What a request to these routes asks for.
enum Call {
    Index,
    Purchase,
    /// Of the subscription with this number.
    ChangeStatus(i64),
}

/// A subscription as its clients read it, the keys in the original's order.
#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    user: &'a str,
    status: Status,
    #[serde(rename = "created at")]
    created_at: String,
    #[serde(rename = "updated at")]
    updated_at: Option<String>,
}

/// Whether this path is under the original's.
pub(crate) fn has(path: &str) -> bool {
    path.strip_prefix(COLLECTION).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Service<S, D, K, H, C, E> {
    /// Everything under `/api/v1/subscriptions`.
    pub(crate) async fn contract_001(&self, request: Request) -> Result<Response, Problem> {
        let call = match call(&request) {
            Ok(call) => call,
            Err(response) => return Ok(response),
        };
        let config = self.config()?;
        let (caller, authority) = self.caller_of_original(&request, &config).await?;
        let scope = Scope { caller: &caller, route: request.uri().path().trim_end_matches('/') };
        let key = IdempotencyKey::read(request.headers())?.map(|key| key.scoped(scope));
        let (head, body) = request.into_parts();
        let notification = match call {
            Call::Index => return Ok(answer(StatusCode::OK, "application/json", "OK".into())),
            Call::Purchase => purchase(&head.headers, &body?),
            Call::ChangeStatus(id) => change(id, &head.headers, &body?),
        };
        match notification {
            Ok(notification) => self.publish_as_original(authority, notification, key.as_deref()).await,
            Err(response) => Ok(response),
        }
    }

    async fn publish_as_original(
        &self,
        authority: Authority,
        notification: Notification,
        key: Option<&str>,
    ) -> Result<Response, Problem> {
        let (config, accounts) = (self.config()?, self.accounts());
        let wait = config.reply_wait;
        let request = octo_subscriptions::Request { authority, notification, key, wait };
        match self.subscriptions(&accounts, &config).publish(&request).await {
            Ok(published) => {
                self.leave(&published.reply);
                let response = match &published.reply {
                    Reply::Done(subscription) => {
                        json(StatusCode::OK, &python_json::text(&Row::from(subscription)))
                    }
                    Reply::Waiting | Reply::Discarded(_) => json(StatusCode::REQUEST_TIMEOUT, &NO_REPLY),
                };
                Ok(logged(response, notification, &published))
            }
            Err(Refusal::NoSuchUser) => Ok(json(StatusCode::NOT_FOUND, &NO_USER)),
            Err(Refusal::NoSuchSubscription) => Ok(json(StatusCode::NOT_FOUND, &NO_SUBSCRIPTION)),
            Err(refusal) => Err(refused(refusal)),
        }
    }
}

/// What the path and the method ask for, or the page that says that there is no such thing.
fn call(request: &Request) -> Result<Call, Response> {
    let rest = request.uri().path().strip_prefix(COLLECTION).unwrap_or_default();
    let id = rest.strip_prefix('/').and_then(|rest| rest.strip_suffix("/status"));
    let id = id.filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
    match (rest, id, request.method()) {
        ("" | "/", _, &Method::GET) => Ok(Call::Index),
        ("" | "/", _, &Method::POST) => Ok(Call::Purchase),
        ("" | "/", _, _) => Err(werkzeug::method_not_allowed("GET, POST")),
        // A number larger than any of ours is no subscription's.
        (_, Some(id), &Method::PUT) => Ok(Call::ChangeStatus(id.parse().unwrap_or(i64::MAX))),
        (_, Some(_), _) => Err(werkzeug::method_not_allowed("PUT")),
        _ => Err(werkzeug::not_found()),
    }
}

fn purchase(headers: &HeaderMap, body: &[u8]) -> Result<Notification, Response> {
    let mut schema = schema(headers, body)?;
    let user_id = schema.required_integer("user_id");
    let user_id = schema.finish(user_id).map_err(|errors| json(StatusCode::BAD_REQUEST, &errors))?;
    Ok(Notification::Purchased { user_id })
}

fn change(subscription_id: i64, headers: &HeaderMap, body: &[u8]) -> Result<Notification, Response> {
    let mut schema = schema(headers, body)?;
    // The path has it; what the body says of it does not matter.
    schema.ignore("subscription_id");
    let canceled = schema.boolean("canceled");
    let restarted = schema.boolean("restarted");
    let wanted = schema.finish(canceled.zip(restarted));
    match wanted.map_err(|errors| json(StatusCode::BAD_REQUEST, &errors))? {
        (Some(true), Some(true)) => Err(json(StatusCode::BAD_REQUEST, &[BOTH])),
        (Some(true), _) => Ok(Notification::Canceled { subscription_id }),
        (_, Some(true)) => Ok(Notification::Restarted { subscription_id }),
        _ => Err(json(StatusCode::BAD_REQUEST, &[NEITHER])),
    }
}

fn schema(headers: &HeaderMap, body: &[u8]) -> Result<Schema, Response> {
    let announced = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let value: Option<Value> =
        announced.filter(|kind| body::is_json(kind)).and_then(|_| serde_json::from_slice(body).ok());
    let value = value.ok_or_else(werkzeug::bad_request)?;
    Schema::of(value).map_err(|errors| json(StatusCode::BAD_REQUEST, &errors))
}

impl<'a> From<&'a Subscription> for Row<'a> {
    fn from(subscription: &'a Subscription) -> Self {
        Self {
            id: subscription.id,
            user: &subscription.user,
            status: subscription.status,
            created_at: day_and_time(subscription.created_at),
            updated_at: subscription.updated_at.map(day_and_time),
        }
    }
}

/// `DD/MM/YYYY HH:MM:SS`, in UTC.
fn day_and_time(at: UnixMillis) -> String {
    let at = at.civil();
    format!("{:02}/{:02}/{:04} {:02}:{:02}:{:02}", at.day, at.month, at.year, at.hour, at.minute, at.second)
}

/// JSON, under the name of HTML.
fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    answer(status, werkzeug::HTML, python_json::text(body))
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
