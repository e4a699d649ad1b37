//! What each kind of problem means.

use axum::extract::Path;
use http::{HeaderMap, StatusCode};
use octo_core::Problem;
use octo_http::{Error, Items, Response, accept, respond};
use serde::Serialize;
use utoipa::ToSchema;

/// One section for each kind: its heading is the last part of the problem's `type`.
pub(crate) const REGISTRY: &str = include_str!("../problems.md");

/// A kind of problem.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ProblemKind)]
pub(crate) struct KindBody {
    /// The `type` of such a problem.
    #[schema(example = "urn:octo:problem:invalid-fields")]
    r#type: String,
    /// What it means, and what to do, in Markdown.
    meaning: &'static str,
}

/// All kinds, as the registry has them.
fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    let sections = REGISTRY.split("\n## ").skip(1);
    sections.filter_map(|section| section.split_once('\n')).map(|(slug, text)| (slug.trim(), text.trim()))
}

fn body((slug, meaning): (&'static str, &'static str)) -> KindBody {
    KindBody { r#type: format!("{}{slug}", octo_core::problem::TYPE_PREFIX), meaning }
}

/// See the kinds of problems
///
/// What each `type` means, and what to do about it; as a text to those who would rather have one.
#[utoipa::path(
    get, path = "/problems", tag = "site", operation_id = "listProblems",
    responses((status = 200, description = "All kinds.", content(
        (Items<KindBody> = "application/json"), (String = "text/plain")
    )))
)]
pub(crate) async fn list(headers: HeaderMap) -> Response {
    if accept::prefers_text(&headers) {
        return respond::text(StatusCode::OK, REGISTRY.to_owned());
    }
    respond::json(StatusCode::OK, &Items { items: kinds().map(body).collect(), next: None })
}

/// See what a problem means
#[utoipa::path(
    get, path = "/problems/{kind}", tag = "site", operation_id = "getProblem",
    params(("kind" = String, Path, description = "The last part of the problem's `type`.", example = "invalid-fields")),
    responses(
        (status = 200, description = "What it means.", content(
            (KindBody = "application/json"), (String = "text/plain")
        )),
        (status = 404, description = "There is no such kind."),
    )
)]
pub(crate) async fn page(headers: HeaderMap, Path(slug): Path<String>) -> Result<Response, Error> {
    let found = kinds().find(|(known, _)| *known == slug).ok_or_else(no_such_kind)?;
    if accept::prefers_text(&headers) {
        let (slug, meaning) = found;
        return Ok(respond::text(StatusCode::OK, format!("{slug}\n\n{meaning}\n")));
    }
    Ok(respond::json(StatusCode::OK, &body(found)))
}

fn no_such_kind() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "There is nothing here",
        "There is no such kind of problem. GET /problems lists all.",
    )
}
