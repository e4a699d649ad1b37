//! Answers as FastAPI makes them, which some of the original systems are written with: `{"detail": ...}`, with a list
//! of everything that is wrong with a request ([`Errors`]), or with the body it reads as one JSON object ([`Body`]).
//!
//! Unlike the originals we never send back what we were sent: there are passwords in it. So `input` is null.

mod body;
mod errors;

use http::{HeaderValue, StatusCode, header};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use self::body::{
    BOOLEAN, Body, DATE, DECIMAL, INTEGER, Kind, POSITIVE, Parsed, STRING, UUID, UUID_4, greater_than_0,
};
pub use self::errors::{Errors, Links, Place, Rule};
use crate::{Request, Response, respond};

#[derive(Serialize)]
struct Detail<T> {
    detail: T,
}

/// A refusal in the form of the earlier systems that were written with FastAPI, for the description.
#[derive(ToSchema)]
#[allow(dead_code)]
pub struct FastApiError {
    /// An object, a text or a list, by the kind of refusal.
    detail: Value,
}

/// `{"detail": ...}`
pub fn detail(status: StatusCode, detail: impl Into<Value>) -> Response {
    respond::json(status, &Detail { detail: detail.into() })
}

/// 401, with `WWW-Authenticate: Bearer`.
pub fn challenge(text: &str) -> Response {
    challenging(detail(StatusCode::UNAUTHORIZED, text))
}

/// An answer, with `WWW-Authenticate: Bearer`.
pub fn challenging(mut response: Response) -> Response {
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// 422: a part of the path breaks a rule.
pub fn in_path(name: &str, rule: Rule, input: &str) -> Response {
    let mut errors = Errors::new(Place::Path, Links::None);
    errors.refuse_value(name, rule, Value::from(input));
    errors.into_response()
}

/// 301 to `path`, as a gateway before these systems sends where only a slash is missing.
pub fn moved(path: &str) -> Response {
    let mut response = respond::empty(StatusCode::MOVED_PERMANENTLY);
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// There is nothing at this path.
pub fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

/// The path takes other methods.
pub fn method_not_allowed(allow: &str) -> Response {
    let mut response = detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// 307 to `path`, with the query that `request` has: where a slash too many is taken away.
pub fn redirect(request: &Request, path: &str) -> Response {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let (path, query) = (utf8_percent_encode(path, CONTROLS), utf8_percent_encode(&query, CONTROLS));
    let mut response = respond::empty(StatusCode::TEMPORARY_REDIRECT);
    if let Ok(location) = HeaderValue::from_str(&format!("{path}{query}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
