//! `GET /`: what this is, for people as a page or a text and for programs as JSON.

use askama::Template;
use axum::extract::State;
use futures::future::join;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use octo_http::{
    App, Response,
    accept::{self, Preferred},
    respond,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    live::Live,
    octo::Octo,
    page::{self, Frame},
    visitor::Visitor,
};

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
/// What Octo does, where its API is described, and the first request; as a page or a text to those who prefer one.
#[utoipa::path(
    get, path = "/", tag = "site", operation_id = "start",
    responses((status = 200, description = "What this is.", content(
        (StartBody = "application/json"), (String = "text/plain"), (String = "text/html")
    )))
)]
pub(crate) async fn start(State(app): State<App>, headers: HeaderMap, visitor: Visitor) -> Response {
    let mut response = match accept::preferred(&headers) {
        Preferred::Page => return page(&app, &visitor).await,
        Preferred::Text => respond::text(StatusCode::OK, text(&visitor.origin)),
        Preferred::Json => members(),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    frame: &'a Frame,
    live: Option<Live>,
    first_request: String,
}

async fn page(app: &App, visitor: &Visitor) -> Response {
    let octo = Octo::of(app, visitor);
    let (account, live) = match octo.token {
        Some(_) => join(async { octo.account().await.ok() }, Live::now(&octo)).await,
        None => (None, None),
    };
    let frame = Frame::of(visitor, account.as_ref(), "/");
    let page = StartPage { frame: &frame, live, first_request: first_request(&visitor.origin) };
    page::html(StatusCode::OK, &page)
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

fn text(origin: &str) -> String {
    let request = first_request(origin).replace('\n', "\n  ");
    format!("{WHAT}\n\nThe API is described at {origin}{DESCRIPTION}.\n\nThe first request:\n\n  {request}\n")
}

fn first_request(origin: &str) -> String {
    let (method, path) = FIRST;
    format!("curl -X {method} {origin}{path} \\\n  -H 'content-type: application/json' \\\n  -d '{EXAMPLE}'")
}
