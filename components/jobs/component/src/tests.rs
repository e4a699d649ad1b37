use http::Request;
use octo_core::sql::NoSql;
use octo_http::testing::{app, open_routes, send};

use crate::API;

#[test]
fn nobody_gets_in_without_a_credential() {
    assert_eq!(open_routes(&API, &app("jobs", &[("jobs_key", "")], NoSql)), [""; 0]);
}

#[test]
fn a_scheduler_gets_in_with_the_key_of_the_variable_and_with_no_other() {
    let app = app("jobs", &[("jobs_key", "secret")], NoSql);
    let drain = |key: &str| {
        let request = Request::post("/internal/jobs/drain").header("authorization", format!("Bearer {key}"));
        send(&API, &app, request.body(Vec::new()).unwrap()).status()
    };
    assert_eq!([drain("secret").as_u16(), drain("Secret").as_u16(), drain("").as_u16()], [503, 401, 401]);
}

#[test]
fn the_methods_of_a_path_are_those_declared() {
    let app = app("jobs", &[("jobs_key", "")], NoSql);
    let allow = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Vec::new()).unwrap();
        let response = send(&API, &app, request);
        let allow = response.headers().get("allow").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), allow)
    };
    assert_eq!(allow("POST", "/internal/jobs"), (405, Some("GET".into())));
    assert_eq!(allow("OPTIONS", "/internal/jobs/dead/7/"), (204, Some("DELETE".into())));
    assert_eq!(allow("GET", "/internal/jobs/else/7"), (404, None));
}
