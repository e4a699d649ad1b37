#![allow(unreachable_pub, clippy::unwrap_used)] // The macro is meant for the root of a crate.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Path, State};
use octo_core::sql::NoSql;

use super::*;
use crate::{Error, extract, testing};

/// Say what is here
#[utoipa::path(get, path = "/things", responses((status = 200)))]
async fn list() -> Response {
    respond::json(StatusCode::OK, &"list")
}

/// Add one
#[utoipa::path(post, path = "/things", responses((status = 201)))]
async fn add(extract::Json(text): extract::Json<String>) -> Response {
    respond::json(StatusCode::CREATED, &text)
}

/// Say which it is
#[utoipa::path(get, path = "/things/{id}", responses((status = 200)))]
async fn one(Path(id): Path<String>) -> Response {
    respond::json(StatusCode::OK, &id)
}

/// The newest
#[utoipa::path(get, path = "/things/newest", responses((status = 200)))]
async fn newest() -> Response {
    respond::json(StatusCode::OK, &"newest")
}

/// A path of an earlier system, with its slash
#[utoipa::path(get, path = "/old/", responses((status = 200)))]
async fn old() -> Response {
    respond::json(StatusCode::OK, &"old")
}

/// Work for later
#[utoipa::path(get, path = "/later", responses((status = 204)))]
async fn later(State(app): State<App>) -> Result<Response, Error> {
    app.after.run(async { DONE.store(true, Ordering::Relaxed) });
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

static DONE: AtomicBool = AtomicBool::new(false);

mod handlers {
    pub(super) use super::{
        __path_add, __path_later, __path_list, __path_newest, __path_old, __path_one, add, later, list,
        newest, old, one,
    };
}

crate::routes! {
    name: "things",
    about: "Things.",
    settings: settings,
    refused: in_its_own_words;
    handlers { list, add, one, newest, old, later }
}

fn settings(settings: &dyn Settings) -> Result<(), SettingError> {
    octo_core::settings::switch(&settings, "switch").map(drop)
}

fn in_its_own_words(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    let is_its = request.uri().path().starts_with("/old");
    is_its.then(|| respond::json(StatusCode::IM_A_TEAPOT, &format!("{mismatch:?}")))
}

fn send(method: &str, target: &str, body: &str) -> (u16, String, Option<String>) {
    let app = testing::app("things", &[("switch", "perhaps")], NoSql);
    let request = http::Request::builder().method(method).uri(target).body(body.into()).unwrap();
    let response = testing::send(&API, &app, request);
    let allow = response.headers().get("allow").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap(), allow)
}

#[test]
fn a_request_goes_to_the_most_specific_route_of_its_method() {
    let body = |method, target| send(method, target, "\"new\"").1;
    assert_eq!(body("GET", "/things"), "\"list\"");
    assert_eq!(body("POST", "/things"), "\"new\"");
    assert_eq!(body("GET", "/things/7?a=b"), "\"7\"");
    assert_eq!(body("GET", "/things/newest"), "\"newest\"");
}

#[test]
fn slashes_at_the_end_do_not_matter_unless_they_are_declared() {
    for target in ["/things/", "/things//", "/things/?a=b"] {
        assert_eq!(send("GET", target, "").1, "\"list\"", "{target}");
    }
    assert_eq!(send("GET", "/things/7/", "").1, "\"7\"");
    assert_eq!(send("GET", "/old/", "").1, "\"old\"");
    assert_eq!(send("GET", "/old", "").0, 418);
}

#[test]
fn what_no_route_takes_is_told_apart() {
    assert_eq!(send("GET", "/else", "").0, 404);
    let (status, _, allow) = send("PUT", "/things", "");
    assert_eq!((status, allow.as_deref()), (405, Some("GET, POST")));
    let (status, _, allow) = send("OPTIONS", "/things", "");
    assert_eq!((status, allow.as_deref()), (204, Some("GET, POST")));
    assert_eq!(send("PUT", "/old/", "").1, "\"Method(\\\"GET\\\")\"");
    assert_eq!(send("OPTIONS", "/old/x", "").1, "\"Path\"");
}

#[test]
fn a_parameter_that_is_no_text_has_no_route() {
    assert_eq!(send("GET", "/things/%FF", "").0, 404);
    assert_eq!(send("GET", "/things//", "").0, 200, "these are slashes at the end");
}

#[test]
fn a_body_that_is_wrong_is_a_problem_of_ours() {
    for (body, status, slug) in
        [("", 400, "malformed-body"), ("\"", 400, "malformed-body"), ("7", 422, "invalid-fields")]
    {
        let (told, text, _) = send("POST", "/things", body);
        assert!(told == status && text.contains(slug), "{body}: {text}");
    }
}

#[test]
fn the_variables_are_checked_for_the_operator() {
    let (status, text, _) = send("GET", "/internal/settings", "");
    assert!(status == 500 && text.contains("`switch` must be `on` or `off`"), "{text}");
}

#[test]
fn what_is_left_for_later_is_done_after_the_response() {
    let app = testing::app("things", &[], NoSql);
    let request = http::Request::get("/later").body(Vec::new()).unwrap();
    assert_eq!(testing::send(&API, &app, request).status(), 204);
    assert!(!DONE.load(Ordering::Relaxed));
    octo_core::testing::ready(app.after.finish());
    assert!(DONE.load(Ordering::Relaxed));
}

#[test]
fn the_document_names_every_route() {
    let document = crate::openapi::document("1", [(API.document)()]);
    assert_eq!(document.paths.paths.len(), 5);
    assert_eq!(API.routes.len(), 6);
}
