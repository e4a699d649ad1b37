use http::Request;
use octo_core::sql::NoSql;
use octo_http::testing::{app, open_routes, send};
use serde_json::Value;

use crate::API;

fn get(path: &str, accept: &str) -> (u16, String, String) {
    let app = app("site", &[], NoSql);
    let request = Request::get(path).header("accept", accept).body(Vec::new()).unwrap();
    let response = send(&API, &app, request);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), kind, String::from_utf8(response.into_body()).unwrap())
}

#[test]
fn everybody_sees_all_of_it() {
    assert_eq!(open_routes(&API, &app("site", &[], NoSql)).len(), API.routes.len());
}

#[test]
fn programs_get_json_and_people_a_text() {
    for path in ["/", "/problems", "/problems/invalid-fields"] {
        let (status, kind, body) = get(path, "*/*");
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{path}");
        assert!(serde_json::from_str::<Value>(&body).unwrap().is_object());
        assert_eq!(get(path, "text/html").1, "text/plain; charset=utf-8", "{path}");
    }
}

#[test]
fn a_kind_of_problem_that_there_is_not_is_a_problem() {
    let (status, kind, _) = get("/problems/else", "text/html");
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"));
}

#[test]
fn each_kind_has_a_section_with_a_text() {
    let (_, _, body) = get("/problems", "application/json");
    let listed: Value = serde_json::from_str(&body).unwrap();
    let sections = crate::problems::REGISTRY.matches("\n## ").count();
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), sections);
    assert!(items.iter().all(|item| !item["meaning"].as_str().unwrap().is_empty()));
}
