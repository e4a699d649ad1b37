//! The routes of the original message handler (contract 000), with its literal bodies: `POST /free_provider`
//! and `POST /paid_provider` take token and message in the query, and `GET` of their `redirected` confirms a
//! redirection.
//!
//! What is different, on purpose: a message is really routed, by whichever of the two routes it comes; so the
//! sentences that sent users to the other provider are gone. A user's free messages are counted exactly, and
//! the token appears in no log, for no query does.

use http::{HeaderValue, StatusCode, header};
use octo_core::UnixMillis;
use octo_gateway::{
    message::MAX_BYTES,
    routing::{Routed, Unprocessed},
};
use octo_http::{
    Request, Response,
    exchange::LogFields,
    fastapi::{self, Errors, Links, Place},
    respond,
};
use serde_json::json;

/// The original's providers were written with this version.
const PYDANTIC: Links = Links::Pydantic("2.6");

const NOTHING_LEFT: &str = "Бесплатных сообщений не осталось. Доступ к платному провайдеру отсутствует";
const BAD_TOKEN: &str = "Невозможно провалидировать данные в токене";
const REDIRECTED_TO_FREE: &str = "Ваш запрос был перенаправлен на бесплатный провайдер.";
const REDIRECTED_TO_PAID: &str = "Ваш запрос был перенаправлен на платный провайдер.";

/// What a request to these routes asks for.
pub(crate) enum Call {
    /// Route this message.
    Send {
        /// The sender's token.
        token: String,
        /// The text, which may be empty here.
        message: String,
    },
    /// Nothing that takes more than this answer.
    Answered(Response),
}

/// Whether `path` is one of these routes.
pub(crate) fn has(path: &str) -> bool {
    ["/free_provider", "/paid_provider"]
        .iter()
        .any(|route| path.strip_prefix(route).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Reads a request to one of these routes.
pub(crate) fn read(request: &Request) -> Call {
    let path = request.uri().path();
    let shorter = path.trim_end_matches('/');
    if shorter != path && allowed(shorter).is_some() {
        return Call::Answered(fastapi::redirect(request, shorter));
    }
    let Some(allow) = allowed(path) else { return Call::Answered(fastapi::not_found()) };
    if request.method() != allow {
        return Call::Answered(fastapi::method_not_allowed(allow));
    }
    match path {
        "/free_provider/redirected" => Call::Answered(success(REDIRECTED_TO_FREE)),
        "/paid_provider/redirected" => Call::Answered(success(REDIRECTED_TO_PAID)),
        _ => read_query(request.uri().query().unwrap_or_default()),
    }
}

/// The answer to a routed message; `None` where the original had none to give.
pub(crate) fn routed(id: &str, routed: &Routed, now: UnixMillis) -> Option<Response> {
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
pub(crate) fn bad_token() -> Response {
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
    respond::json(StatusCode::OK, &json!({ "ok": true, "response": text }))
}

fn allowed(path: &str) -> Option<&'static str> {
    match path {
        "/free_provider" | "/paid_provider" => Some("POST"),
        "/free_provider/redirected" | "/paid_provider/redirected" => Some("GET"),
        _ => None,
    }
}

/// The last value of each name counts.
fn read_query(query: &str) -> Call {
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
    match errors.finish(token.zip(message)) {
        Ok((token, message)) => Call::Send { token, message },
        Err(answer) => Call::Answered(answer),
    }
}
