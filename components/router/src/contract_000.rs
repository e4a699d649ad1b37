//! The routes of the original message handler (contract 000), with its literal bodies: `POST /free_provider`
//! and `POST /paid_provider` take token and message in the query, and `GET` of their `redirected` confirms a
//! redirection.
//!
//! What is different, on purpose: a message is really routed, by whichever of the two routes it comes; so the
//! sentences that sent users to the other provider are gone. A user's free messages are counted exactly, and
//! the token appears in no log, for no query does.

use http::{HeaderValue, Method, StatusCode, header};
use octo_core::UnixMillis;
use octo_edge::{Request, Response, exchange::LogFields, respond};
use octo_gateway::{
    Config,
    message::MAX_BYTES,
    routing::{Routed, Unprocessed},
};
use serde::Serialize;
use serde_json::json;

/// Free messages a user has in a day, unless the operator says otherwise.
const DAILY_PER_USER: i64 = 10;

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

/// Free messages a user has in a day on these routes.
pub(crate) fn daily_per_user(config: &Config) -> i64 {
    match config.daily_per_user {
        0 => DAILY_PER_USER,
        given => given,
    }
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
        return Call::Answered(without_slash(request, shorter));
    }
    let Some(allow) = allowed(path) else {
        return Call::Answered(respond::json(StatusCode::NOT_FOUND, &json!({ "detail": "Not Found" })));
    };
    if request.method() != allow {
        let body = json!({ "detail": "Method Not Allowed" });
        let mut response = respond::json(StatusCode::METHOD_NOT_ALLOWED, &body);
        if let Ok(allow) = HeaderValue::from_str(allow.as_str()) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        return Call::Answered(response);
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
        Err(_) => return None,
    };
    response.extensions_mut().insert(log);
    Some(response)
}

/// The answer to a token that is not accepted.
pub(crate) fn bad_token() -> Response {
    let body = json!({ "detail": { "details": BAD_TOKEN } });
    let mut response = respond::json(StatusCode::FORBIDDEN, &body);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn nothing_left(until: UnixMillis, now: UnixMillis) -> Response {
    let body = json!({ "detail": { "ok": false, "response": NOTHING_LEFT } });
    let mut response = respond::json(StatusCode::FORBIDDEN, &body);
    let seconds = until.seconds_from(now).max(1);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn success(text: &str) -> Response {
    respond::json(StatusCode::OK, &json!({ "ok": true, "response": text }))
}

fn allowed(path: &str) -> Option<Method> {
    match path {
        "/free_provider" | "/paid_provider" => Some(Method::POST),
        "/free_provider/redirected" | "/paid_provider/redirected" => Some(Method::GET),
        _ => None,
    }
}

/// The last value of each name counts.
fn read_query(query: &str) -> Call {
    let value = |wanted: &str| {
        let values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == wanted);
        values.last().map(|(_, value)| value.into_owned())
    };
    match (value("token"), value("message")) {
        (Some(_), Some(message)) if message.len() > MAX_BYTES => {
            Call::Answered(unprocessable(&[QueryError::too_long()]))
        }
        (Some(token), Some(message)) => Call::Send { token, message },
        (token, message) => {
            let missing = [("token", token.is_none()), ("message", message.is_none())];
            let missing = missing.into_iter().filter(|(_, is_missing)| *is_missing);
            let errors: Vec<_> = missing.map(|(name, _)| QueryError::missing(name)).collect();
            Call::Answered(unprocessable(&errors))
        }
    }
}

/// The original's list of what is wrong with a request.
fn unprocessable(errors: &[QueryError]) -> Response {
    respond::json(StatusCode::UNPROCESSABLE_ENTITY, &Detail { detail: errors })
}

#[derive(Serialize)]
struct Detail<'a> {
    detail: &'a [QueryError],
}

/// One thing that is wrong with the query, its members in the original's order.
#[derive(Serialize)]
struct QueryError {
    r#type: &'static str,
    loc: [&'static str; 2],
    msg: String,
    input: (),
    url: &'static str,
}

impl QueryError {
    fn missing(name: &'static str) -> Self {
        Self {
            r#type: "missing",
            loc: ["query", name],
            msg: "Field required".to_owned(),
            input: (),
            url: "https://errors.pydantic.dev/2.6/v/missing",
        }
    }

    fn too_long() -> Self {
        Self {
            r#type: "string_too_long",
            loc: ["query", "message"],
            msg: format!("String should have at most {MAX_BYTES} bytes"),
            input: (),
            url: "https://errors.pydantic.dev/2.6/v/string_too_long",
        }
    }
}

/// 307 to the path without its last slash, with the same query.
fn without_slash(request: &Request, path: &str) -> Response {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = respond::empty(StatusCode::TEMPORARY_REDIRECT);
    if let Ok(location) = HeaderValue::from_str(&format!("{path}{query}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
