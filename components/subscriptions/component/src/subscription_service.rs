//! The routes of the original subscription service, with its literal bodies: JSON under the name of HTML, a subscription
//! encoded twice.
//!
//! Different on purpose: a token is needed unless `legacy_rules` is on; an unknown user or subscription is a 404 at
//! once, not a wait in vain; a body of the wrong shape is the client's fault on every route; both spellings of the
//! collection are served where they are asked for; an `Idempotency-Key` makes it safe to ask again.

use axum::extract::{FromRequestParts, State};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use octo_core::UnixMillis;
use octo_http::{
    App, Error, Response,
    api::Mismatch,
    body,
    extract::Whole,
    idempotency::{IdempotencyKey, Scope},
};
use octo_subscriptions::{Config, Notification, Refusal, Reply, Request, Status, Subscription};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    guards::OriginalClient,
    marshmallow::Schema,
    notifications, python_json,
    responses::{logged, problem},
    werkzeug,
};

const COLLECTION: &str = "/api/v1/subscriptions";

const BOTH: &str = "The fields 'canceled' and 'restarted' cant be TRUE at the same time !";
const NEITHER: &str = "The fields 'canceled' and 'restarted' cant be FALSE at the same time !";
const NO_REPLY: &str = "The server did not send a response";
const NO_USER: &str = "The user does not exist";
const NO_SUBSCRIPTION: &str = "The subscription does not exist";

/// A subscription in the OpenAPI document.
const EXAMPLE: &str = r#"{"id": 1, "user": "Admin", "status": "ACTIVE", "created at": "15/01/2027 08:00:30", "updated at": null}"#;

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

/// What the path of a request names.
enum Place {
    Collection,
    /// The status of the subscription with this number.
    Status(i64),
}

impl Place {
    /// The place with this path; none when the original has nothing there.
    fn of(path: &str) -> Option<Self> {
        match path.strip_prefix(COLLECTION)? {
            "" | "/" => Some(Self::Collection),
            rest => number(rest.strip_prefix('/')?.strip_suffix("/status")?).map(Self::Status),
        }
    }
}

/// The number of a subscription. One that is larger than any of ours is no subscription's.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}

/// The page for a request under the original's path that no route takes as it is. Only the collection has two spellings.
pub(crate) fn refused(request: &octo_http::Request, mismatch: Mismatch<'_>) -> Option<Response> {
    let path = request.uri().path();
    let rest = path.strip_prefix(COLLECTION)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    match (Place::of(path), mismatch) {
        (None, _) => Some(werkzeug::not_found()),
        (Some(_), Mismatch::Method(allow)) => Some(werkzeug::method_not_allowed(allow)),
        (Some(_), Mismatch::Path | Mismatch::Slash) => None,
    }
}

/// The number in a path; the page says that there is nothing where it is no number, before anybody is asked for a token.
pub(crate) struct SubscriptionNumber(i64);

impl FromRequestParts<App> for SubscriptionNumber {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        match Place::of(parts.uri.path()) {
            Some(Place::Status(number)) => Ok(Self(number)),
            _ => Err(Error::response(werkzeug::not_found())),
        }
    }
}

/// The user for whom a client of the original subscription service buys a subscription.
#[derive(ToSchema)]
#[schema(as = OriginalSubscriptionPurchase)]
#[allow(dead_code)]
pub(crate) struct PurchaseBody {
    /// The number of the user; a text of digits is taken as well.
    #[schema(example = 1)]
    user_id: i64,
}

/// A change of status by a client of the original subscription service. One of the two must be true, and only one.
#[derive(ToSchema)]
#[schema(as = OriginalSubscriptionChange)]
#[allow(dead_code)]
pub(crate) struct StatusChangeBody {
    #[schema(required = false)]
    canceled: bool,
    #[schema(required = false)]
    restarted: bool,
}

/// Check that the original's routes are served
#[utoipa::path(
    get, path = "/api/v1/subscriptions", tag = "subscriptions", operation_id = "subscriptionServiceIndex",
    responses(
        (status = 200, description = "The text `OK`.", body = String, content_type = "application/json", example = "OK"),
        (status = 401, description = "There is no token, and `legacy_rules` is off."),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn index(_: OriginalClient) -> Result<Response, Error> {
    Ok(response(StatusCode::OK, "application/json", "OK".into()))
}

/// Buy a subscription, as clients of the original subscription service do
///
/// The response is JSON under the name of HTML: a text that holds the subscription as JSON.
#[utoipa::path(
    post, path = "/api/v1/subscriptions", tag = "subscriptions", operation_id = "subscriptionServicePurchase",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
    ),
    request_body = PurchaseBody,
    responses(
        (status = 200, description = "The subscription.", body = String, content_type = "text/html; charset=utf-8",
            example = json!(EXAMPLE)),
        (status = 400, description = "What is wrong with the body, by field, or a page.", body = String,
            content_type = "text/html; charset=utf-8"),
        (status = 401, description = "There is no token, and `legacy_rules` is off."),
        (status = 404, description = "The user does not exist.", body = String,
            content_type = "text/html; charset=utf-8"),
        (status = 408, description = "The result is not ready in time. It will be done.", body = String,
            content_type = "text/html; charset=utf-8"),
        (status = 422, description = "The key belongs to another request."),
        (status = 429, description = "The user asked for too many changes today."),
        (status = 503, description = "The accounts or the database are away."),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn purchase_for_user(
    State(app): State<App>,
    client: OriginalClient,
    Whole(request): Whole,
) -> Result<Response, Error> {
    publish(&app, client, request, purchase).await
}

/// Cancel or restart a subscription, as clients of the original subscription service do
///
/// The response is JSON under the name of HTML: a text that holds the subscription as JSON.
#[utoipa::path(
    put, path = "/api/v1/subscriptions/{id}/status", tag = "subscriptions",
    operation_id = "subscriptionServiceChangeStatus",
    params(
        ("id" = i64, Path, description = "The subscription's number.", minimum = 0),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
    ),
    request_body = StatusChangeBody,
    responses(
        (status = 200, description = "The subscription.", body = String, content_type = "text/html; charset=utf-8",
            example = json!(EXAMPLE)),
        (status = 400, description = "What is wrong with the body, by field, or a page.", body = String,
            content_type = "text/html; charset=utf-8"),
        (status = 401, description = "There is no token, and `legacy_rules` is off."),
        (status = 404, description = "The subscription does not exist.", body = String,
            content_type = "text/html; charset=utf-8"),
        (status = 408, description = "The result is not ready in time. It will be done.", body = String,
            content_type = "text/html; charset=utf-8"),
        (status = 422, description = "The key belongs to another request."),
        (status = 429, description = "The user asked for too many changes today."),
        (status = 503, description = "The accounts or the database are away."),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn change_status(
    State(app): State<App>,
    SubscriptionNumber(id): SubscriptionNumber,
    client: OriginalClient,
    Whole(request): Whole,
) -> Result<Response, Error> {
    publish(&app, client, request, |headers, body| change(id, headers, body)).await
}

/// Publishes the notification that `read` finds in the request.
async fn publish(
    app: &App,
    client: OriginalClient,
    request: octo_http::Request,
    read: impl FnOnce(&HeaderMap, &[u8]) -> Result<Notification, Response>,
) -> Result<Response, Error> {
    let scope = Scope { caller: &client.name, route: request.uri().path() };
    let key = IdempotencyKey::read(request.headers())?.map(|key| key.scoped(scope));
    let (head, body) = request.into_parts();
    let notification = read(&head.headers, &body?).map_err(Error::response)?;
    let config = Config::read(&app.settings)?;
    let (authority, key, wait) = (client.authority, key.as_deref(), config.reply_wait);
    let request = Request { authority, notification, key, wait };
    match notifications::publish(app, &config, &request).await {
        Ok(published) => {
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
        Err(refusal) => Err(problem(refusal).into()),
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
    response(status, werkzeug::HTML, python_json::text(body))
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
