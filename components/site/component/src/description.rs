//! `GET /openapi.json`: the description of all routes.

use http::StatusCode;
use octo_http::{Response, respond};

/// Made from the code of all components; a test in `tests/openapi` fails when it is not what they say.
const DOCUMENT: &str = include_str!("../openapi.json");

/// Get this description
///
/// All routes, those of the earlier systems included (OpenAPI 3.1).
#[utoipa::path(
    get, path = "/openapi.json", tag = "site", operation_id = "getDescription",
    responses((status = 200, description = "The description.", body = Object, content_type = "application/json"))
)]
pub(crate) async fn openapi() -> Response {
    respond::with_body(StatusCode::OK, "application/json", DOCUMENT.into())
}
