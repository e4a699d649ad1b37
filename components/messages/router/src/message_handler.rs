//! The routes of the original message handler , with its literal bodies: `POST /free_provider`
//! and `POST /paid_provider` take token and message in the query, and `GET` of their `redirected` confirms a
//! redirection.
//!
//! What is different, on purpose: a message is really routed, by whichever of the two routes it comes; so the
//! sentences that sent users to the other provider are gone. A user's free messages are counted exactly, and
//! the token appears in no log, for no query does.

use axum::extract::State;
use http::{HeaderValue, StatusCode, Uri, header};
use octo_core::{Problem, UnixMillis};
use octo_gateway::{
    Config, Message,
    message::MAX_BYTES,
    routing::{Routed, Unprocessed},
};
use octo_http::{
    App, Error, Request, Response,
    api::Mismatch,
    exchange::LogFields,
    fastapi::{self, Errors, FastApiError, Links, Place},
    respond,
};
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::{
    dispatch::{self, Posted},
    responses,
};

/// The original's providers were written with this version.
const PYDANTIC: Links = Links::Pydantic("2.6");

const NOTHING_LEFT: &str = "Бесплатных сообщений не осталось. Доступ к платному провайдеру отсутствует";
const BAD_TOKEN: &str = "Невозможно провалидировать данные в токене";
const REDIRECTED_TO_FREE: &str = "Ваш запрос был перенаправлен на бесплатный провайдер.";
const REDIRECTED_TO_PAID: &str = "Ваш запрос был перенаправлен на платный провайдер.";

/// The query of `POST /free_provider` and `POST /paid_provider`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
pub(crate) struct Sending {
    /// The sender's access token.
    token: String,
    /// The text, at most 65536 bytes. It may be empty.
    #[param(example = "abc")]
    message: String,
}

/// A processed message, or the confirmation of a redirection.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageHandlerResponse)]
pub(crate) struct SuccessBody {
    ok: bool,
    #[schema(example = "cba")]
    response: String,
}

/// What the earlier system sends to a request that no route takes as it is.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    let path = request.uri().path();
    let is_its = ["/free_provider", "/paid_provider"]
        .iter()
        .any(|route| path.strip_prefix(route).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    is_its.then(|| match mismatch {
        Mismatch::Path => fastapi::not_found(),
        Mismatch::Method(allow) => fastapi::method_not_allowed(allow),
        Mismatch::Slash => fastapi::redirect(request, path.trim_end_matches('/')),
    })
}

/// Send a message, as the message handler's clients do
///
/// It is routed as `POST /messages` routes it.
#[utoipa::path(
    post, path = "/free_provider", tag = "message handler", operation_id = "messageHandlerSendFree",
    params(Sending),
    responses(
        (status = 200, description = "A provider has processed it.", body = SuccessBody),
        (status = 403, description = "The token is not accepted, or nothing is left for its owner.", body = FastApiError),
        (status = 422, description = "A parameter is missing or too long.", body = FastApiError),
    )
)]
pub(crate) async fn send_free(State(app): State<App>, uri: Uri) -> Result<Response, Error> {
    send(&app, &uri).await
}

/// Send a message, as the message handler's clients do
///
/// It is routed as `POST /messages` routes it: where there is room on the free provider, it goes there.
#[utoipa::path(
    post, path = "/paid_provider", tag = "message handler", operation_id = "messageHandlerSendPaid",
    params(Sending),
    responses(
        (status = 200, description = "A provider has processed it.", body = SuccessBody),
        (status = 403, description = "The token is not accepted, or nothing is left for its owner.", body = FastApiError),
        (status = 422, description = "A parameter is missing or too long.", body = FastApiError),
    )
)]
pub(crate) async fn send_paid(State(app): State<App>, uri: Uri) -> Result<Response, Error> {
    send(&app, &uri).await
}

async fn send(app: &App, uri: &Uri) -> Result<Response, Error> {
    let (token, message) = read_query(uri.query().unwrap_or_default()).map_err(Error::response)?;
    let config = Config::read(&app.settings)?;
    let message =
        Message::maybe_empty(message).map_err(|error| Problem::invalid("/message", error.to_string()));
    let posted = Posted {
        token: Some(token),
        wait_until: None,
        daily: Some(octo_daily_quota::of_the_original(config.daily_per_user)),
        message: message.map(|message| (message, None)),
    };
    let respond = |id: &str, result: Routed, kept| match routed(id, &result, app.clock.now()) {
        Some(response) => Ok(response),
        None => responses::routed(id, result, kept, &config, app.clock.now()),
    };
    let dispatched = dispatch::dispatch(app, &config, posted, respond).await;
    Ok(dispatched.or_else(|refusal| match refusal.status() {
        Some(StatusCode::UNAUTHORIZED) => Ok(bad_token()),
        _ => responses::refused(refusal),
    })?)
}

/// Confirm a redirection to the free provider
#[utoipa::path(
    get, path = "/free_provider/redirected", tag = "message handler", operation_id = "messageHandlerRedirectedFree",
    responses((status = 200, description = "It is confirmed.", body = SuccessBody))
)]
pub(crate) async fn redirected_free() -> Response {
    success(REDIRECTED_TO_FREE)
}

/// Confirm a redirection to the paid provider
#[utoipa::path(
    get, path = "/paid_provider/redirected", tag = "message handler", operation_id = "messageHandlerRedirectedPaid",
    responses((status = 200, description = "It is confirmed.", body = SuccessBody))
)]
pub(crate) async fn redirected_paid() -> Response {
    success(REDIRECTED_TO_PAID)
}

/// The answer to a routed message; `None` where the original had none to give.
fn routed(id: &str, routed: &Routed, now: UnixMillis) -> Option<Response> {
    let log = LogFields::default().with("message", id);
    let (mut response, log) = match &routed.result {
        Ok(processed) => {
            let log = log.with("provider", json!(processed.provider)).with("reason", json!(processed.reason));
            (success(&processed.response), log)
        }
        Err(Unprocessed::Closed(closed)) => {
            (nothing_left(closed.reopens_at, now), log.with("reason", json!(closed.reason)))
        }
        Err(Unprocessed::AllowanceUsed(refills_at)) => {
            (nothing_left(*refills_at, now), log.with("reason", "allowance_used"))
        }
        Err(Unprocessed::PaidAllowanceUsed { again_at, .. }) => {
            (nothing_left(*again_at, now), log.with("reason", "paid_allowance_used"))
        }
        Err(_) => return None,
    };
    response.extensions_mut().insert(log);
    Some(response)
}

/// The answer to a token that is not accepted.
fn bad_token() -> Response {
    fastapi::challenging(fastapi::detail(StatusCode::FORBIDDEN, json!({ "details": BAD_TOKEN })))
}

fn nothing_left(until: UnixMillis, now: UnixMillis) -> Response {
    let detail = json!({ "ok": false, "response": NOTHING_LEFT });
    let mut response = fastapi::detail(StatusCode::FORBIDDEN, detail);
    let seconds = until.seconds_from(now).max(1);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn success(text: &str) -> Response {
    respond::json(StatusCode::OK, &SuccessBody { ok: true, response: text.to_owned() })
}

/// The last value of each name counts.
fn read_query(query: &str) -> Result<(String, String), Response> {
    let value = |wanted: &str| {
        let values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == wanted);
        values.last().map(|(_, value)| value.into_owned())
    };
    let mut errors = Errors::new(Place::Query, PYDANTIC);
    let [token, message] = ["token", "message"].map(|name| {
        let value = value(name);
        if value.is_none() {
            errors.missing(name);
        }
        value
    });
    if message.as_ref().is_some_and(|message| message.len() > MAX_BYTES) {
        let rule = format!("String should have at most {MAX_BYTES} bytes");
        errors.refuse("message", "string_too_long", &rule);
    }
    errors.finish(token.zip(message))
}
