//! Answers.

use http::{HeaderValue, StatusCode, header};
use octo_core::Problem;
use serde::Serialize;

use crate::{
    exchange::{LogFields, Response},
    idempotency::REPLAYED,
};

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => with_body(status, "application/json", bytes),
        Err(_) => problem(&Problem::internal()),
    }
}

/// A problem as RFC 9457 puts it.
pub fn problem(problem: &Problem) -> Response {
    let bytes = serde_json::to_vec(problem).unwrap_or_default();
    let mut response = with_body(problem.status, "application/problem+json", bytes);
    for (name, value) in &problem.headers {
        response.headers_mut().append(name, value.clone());
    }
    let mut fields = LogFields::default().with("problem", problem.slug);
    if let Some(cause) = &problem.cause {
        fields = fields.with("cause", cause.as_str());
    }
    response.extensions_mut().insert(fields);
    response
}

/// What was made, and its path; `repeated` when an earlier request with the same key made it.
pub fn created(body: &impl Serialize, location: &str, repeated: bool) -> Response {
    let mut response = json(StatusCode::CREATED, body);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if repeated {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response
}

/// A text in plain words.
pub fn text(status: StatusCode, text: String) -> Response {
    with_body(status, "text/plain; charset=utf-8", text.into_bytes())
}

/// A response with a body of some kind.
pub fn with_body(status: StatusCode, content_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(bytes);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// There is nothing at this path: 404.
pub fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here", "No route has this path.")
}

/// 403: the caller is known and may not. `title` says who may.
pub fn forbidden(title: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", title, "Your account may not do this.")
}

/// The path exists, the method does not: 405 with `Allow`.
pub fn method_not_allowed(allow: &str) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "The path does not take this method",
        format!("Use {allow}."),
    )
    .header(header::ALLOW, allow)
}
