//! `GET /`: what this is, where it is described, and the first request.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use octo_http::{Response, accept, platform, respond};
use serde_json::json;

const WHAT: &str = "Octo sends messages through a free provider while its quota lasts and through a paid one \
                    beyond, with accounts and subscriptions.";
/// Where the routes are described. There is no OpenAPI document yet.
const DESCRIBED: &str = "docs/API.md in Octo's source lists the routes; README.md shows them at work.";
const FIRST: (&str, &str) = ("POST", "/auth/register");
const EXAMPLE: &str = r#"{"email":"ada@example.com","password":"correct horse battery staple"}"#;

/// JSON, or a text for people.
pub(crate) fn start(headers: &HeaderMap) -> Response {
    let mut response = if accept::prefers_text(headers) { text(&origin(headers)) } else { members() };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn members() -> Response {
    let (method, path) = FIRST;
    let body: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap_or_default();
    let first = json!({
        "method": method,
        "path": path,
        "headers": { "content-type": "application/json" },
        "body": body,
    });
    respond::json(
        StatusCode::OK,
        &json!({ "name": "Octo", "what": WHAT, "description": DESCRIBED, "first_request": first }),
    )
}

fn text(origin: &str) -> Response {
    let (method, path) = FIRST;
    let text = format!(
        "{WHAT}\n\n{DESCRIBED}\n\nThe first request:\n\n  curl -X {method} {origin}{path} \\\n    \
         -H 'content-type: application/json' \\\n    -d '{EXAMPLE}'\n"
    );
    let mut response = Response::new(text.into_bytes());
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// Where this application is, as the client has reached it.
fn origin(headers: &HeaderMap) -> String {
    let scheme = if platform::is_https(headers) { "https" } else { "http" };
    let authority =
        platform::full_url(headers).and_then(|url| url.split("//").nth(1)?.split(['/', '?']).next());
    format!("{scheme}://{}", authority.unwrap_or("127.0.0.1:3000"))
}
