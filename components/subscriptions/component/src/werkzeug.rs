//! Error pages as Werkzeug makes them, on which the original is built.

use http::{HeaderValue, StatusCode, header};
use octo_http::Response;

/// The content type of almost all responses of the original.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// The body is not the JSON it should be.
pub(crate) fn bad_request() -> Response {
    page(
        StatusCode::BAD_REQUEST,
        "The browser (or proxy) sent a request that this server could not understand.",
    )
}

/// There is no such path.
pub(crate) fn not_found() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "The requested URL was not found on the server. If you entered the URL manually please check your \
         spelling and try again.",
    )
}

/// The path takes `allow` only.
pub(crate) fn method_not_allowed(allow: &str) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = page(status, "The method is not allowed for the requested URL.");
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn page(status: StatusCode, description: &str) -> Response {
    let name = status.canonical_reason().unwrap_or_default();
    let body = format!(
        "<!doctype html>\n<html lang=en>\n<title>{} {name}</title>\n<h1>{name}</h1>\n<p>{description}</p>\n",
        status.as_u16()
    );
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    response
}
