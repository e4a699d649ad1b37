//! `GET /`: what this is, where it is described, and the first request.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use octo_http::{Response, accept, platform, respond};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

const WHAT: &str = "Octo sends messages through a free provider while its quota lasts and through a paid one \
                    beyond, with accounts and subscriptions.";
const DESCRIPTION: &str = "/openapi.json";
const FIRST: (&str, &str) = ("POST", "/auth/register");
const EXAMPLE: &str = r#"{"email":"ada@example.com","password":"correct horse battery staple"}"#;

/// What this is.
#[derive(Serialize, ToSchema)]
#[schema(as = Start)]
pub(crate) struct StartBody {
    /// The application's name.
    #[schema(example = "Octo")]
    name: &'static str,
    /// What it does.
    what: &'static str,
    /// Where the API is described.
    #[schema(example = "/openapi.json")]
    description: &'static str,
    /// The first request to send: `method`, `path`, `headers` and `body`.
    #[schema(value_type = Object)]
    first_request: Value,
}

/// See what this is
///
/// What Octo does, where its API is described, and the first request; as a text to those who would rather have one.
#[utoipa::path(
    get, path = "/", tag = "site", operation_id = "start",
    responses((status = 200, description = "What this is.", content(
        (StartBody = "application/json"), (String = "text/plain")
    )))
)]
pub(crate) async fn start(headers: HeaderMap) -> Response {
    let mut response = if accept::prefers_text(&headers) { text(&origin(&headers)) } else { members() };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn members() -> Response {
    let (method, path) = FIRST;
    let body: Value = serde_json::from_str(EXAMPLE).unwrap_or_default();
    let first_request = json!({
        "method": method,
        "path": path,
        "headers": { "content-type": "application/json" },
        "body": body,
    });
    let body = StartBody { name: "Octo", what: WHAT, description: DESCRIPTION, first_request };
    respond::json(StatusCode::OK, &body)
}

fn text(origin: &str) -> Response {
    let (method, path) = FIRST;
    let text = format!(
        "{WHAT}\n\nThe API is described at {origin}{DESCRIPTION}.\n\nThe first request:\n\n  \
         curl -X {method} {origin}{path} \\\n    -H 'content-type: application/json' \\\n    -d '{EXAMPLE}'\n"
    );
    respond::text(StatusCode::OK, text)
}

/// Where this application is, as the client has reached it.
fn origin(headers: &HeaderMap) -> String {
    let scheme = if platform::is_https(headers) { "https" } else { "http" };
    let authority =
        platform::full_url(headers).and_then(|url| url.split("//").nth(1)?.split(['/', '?']).next());
    format!("{scheme}://{}", authority.unwrap_or("127.0.0.1:3000"))
}
