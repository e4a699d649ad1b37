use std::sync::Arc;

use http::{Request, StatusCode};
use octo_access::Role;
use octo_core::{
    sql::NoSql,
    testing::{FakeHttp, ready},
};
use octo_databases::Sqlite;
use octo_http::{
    App,
    testing::{START, app, open_routes, send, token},
};
use serde_json::{Value, json};

use crate::{API, werkzeug};

const ROOT: &str = "/api/v1/subscriptions";

fn variables(legacy_rules: &'static str) -> [(&'static str, &'static str); 2] {
    [("subscriptions_reply_wait_ms", "20000"), ("legacy_rules", legacy_rules)]
}

/// An application whose `auth` knows user 7 and gives these responses one after the other.
fn with_auth(legacy_rules: &'static str, statuses: &[u16]) -> App {
    let mut auth = FakeHttp::default();
    for status in statuses {
        let response = http::Response::builder().status(*status);
        auth = auth.will(Ok(response.body(br#"{"full_name":"Ada <L>"}"#.to_vec()).unwrap()));
    }
    let mut app = app("subscriptions", &variables(legacy_rules), Sqlite::in_memory());
    app.http = Arc::new(auth);
    app
}

/// Status and body of the response to a request.
fn call(app: &App, token: &str, method: &str, target: &str, body: &str) -> (u16, String) {
    let request = Request::builder().method(method).uri(target);
    let request = request.header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json");
    let response = send(&API, app, request.body(body.as_bytes().to_vec()).unwrap());
    (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
}

fn as_json(response: (u16, String)) -> (u16, Value) {
    (response.0, serde_json::from_str(&response.1).unwrap())
}

/// Status, `Allow` and body where nobody says who they are.
fn refusal(app: &App, method: &str, target: &str) -> (u16, String, String) {
    let request = Request::builder().method(method).uri(target).body(Vec::new()).unwrap();
    let response = send(&API, app, request);
    let allow = response.headers().get("allow").map_or("", |value| value.to_str().unwrap()).to_owned();
    (response.status().as_u16(), allow, String::from_utf8(response.into_body()).unwrap())
}

#[test]
fn nobody_gets_in_without_a_credential() {
    assert_eq!(open_routes(&API, &app("subscriptions", &variables("off"), NoSql)), [""; 0]);
}

#[test]
fn under_legacy_rules_the_originals_routes_are_open() {
    assert_eq!(
        open_routes(&API, &app("subscriptions", &variables("on"), NoSql)),
        ["GET /api/v1/subscriptions", "POST /api/v1/subscriptions", "PUT /api/v1/subscriptions/{id}/status"]
    );
}

#[test]
fn the_methods_of_a_path_are_those_declared() {
    let app = app("subscriptions", &variables("off"), NoSql);
    let allow = |method: &str, path: &str| {
        let (status, allow, _) = refusal(&app, method, path);
        (status, allow)
    };
    assert_eq!(allow("DELETE", "/subscriptions"), (405, "GET, POST".into()));
    assert_eq!(allow("POST", "/subscriptions/1/"), (405, "GET".into()));
    assert_eq!(allow("GET", "/subscriptions/1/cancel"), (405, "POST".into()));
    assert_eq!(allow("OPTIONS", "/subscriptions/1/history"), (204, "GET".into()));
    assert_eq!(allow("GET", "/internal/jobs/drain"), (405, "POST".into()));
    assert_eq!(allow("GET", "/subscriptions/1/else"), (404, String::new()));
    assert_eq!(allow("GET", "/api/v1/subscriptionsx").0, 404);
}

#[test]
fn the_originals_paths_get_its_own_pages() {
    let text = |response: octo_http::Response| String::from_utf8(response.into_body()).unwrap();
    // Before anybody is asked for a token, and whatever the rules.
    let app = app("subscriptions", &variables("off"), NoSql);
    let not_found = text(werkzeug::not_found());
    for path in ["//", "/1/status/", "/-1/status", "/x/status", "/%FF/status", "//status", "/status", "/1"] {
        for method in ["GET", "PUT", "OPTIONS"] {
            let refused = refusal(&app, method, &format!("{ROOT}{path}"));
            assert_eq!(refused, (404, String::new(), not_found.clone()), "{method} {path}");
        }
    }
    for (method, path, allow) in [
        ("PUT", "", "GET, POST"),
        ("DELETE", "/", "GET, POST"),
        ("OPTIONS", "", "GET, POST"),
        ("GET", "/1/status", "PUT"),
        ("OPTIONS", "/007/status", "PUT"),
    ] {
        let body = text(werkzeug::method_not_allowed("PUT"));
        assert_eq!(refusal(&app, method, &format!("{ROOT}{path}")), (405, allow.into(), body), "{path}");
    }
    // Both spellings of the collection.
    for path in ["", "/"] {
        assert_eq!(refusal(&app, "GET", &format!("{ROOT}{path}")).0, 401);
    }
}

#[test]
fn an_id_that_cannot_be_one_is_no_subscriptions() {
    let app = with_auth("off", &[]);
    let token = token(&app, "7", Role::User);
    for id in ["x", "01", "+1", "%FF", "99999999999999999999"] {
        let (status, body) = as_json(call(&app, &token, "GET", &format!("/subscriptions/{id}"), ""));
        assert_eq!((status, &body["type"]), (404, &json!("urn:octo:problem:not-found")), "{id}");
    }
}

#[test]
fn a_subscription_is_bought_and_shows_in_the_lists() {
    let app = with_auth("off", &[200, 204, 200, 204]);
    let token = token(&app, "7", Role::User);
    let (status, bought) = as_json(call(&app, &token, "POST", "/subscriptions", ""));
    let subscription = json!({
        "id": 1, "user_id": 7, "full_name": "Ada <L>", "status": "ACTIVE",
        "created_at": START.to_string(), "updated_at": null
    });
    assert_eq!((status, &bought), (201, &subscription));

    let list = as_json(call(&app, &token, "GET", "/subscriptions?limit=1", ""));
    assert_eq!(list.1["items"], json!([subscription]));
    let next = list.1["next"].as_str().unwrap().to_owned();
    let rest = as_json(call(&app, &token, "GET", &format!("/subscriptions?limit=1&after={next}"), ""));
    assert_eq!(rest, (200, json!({ "items": [], "next": null })));

    let (status, history) = as_json(call(&app, &token, "GET", "/subscriptions/1/history", ""));
    assert_eq!((status, &history["next"]), (200, &Value::Null));
    let entry = &history["items"][0];
    assert_eq!(
        (&entry["type"], &entry["created_at"]),
        (&json!("SUBSCRIPTION_PURCHASED"), &json!(START.to_string()))
    );
    let reply = format!("/subscriptions/replies/{}", entry["correlation_id"].as_str().unwrap());
    let reply = as_json(call(&app, &token, "GET", &reply, ""));
    assert_eq!((&reply.1["status"], &reply.1["subscription"]), (&json!("done"), &subscription));

    // The same for a client of the original, who gets it encoded twice.
    let bought = call(&app, &token, "POST", &format!("{ROOT}/"), r#"{"user_id": "7"}"#);
    let expected = r#""{\"id\": 2, \"user\": \"Ada \\u003cL\\u003e\", \"status\": \"ACTIVE\", \"created at\": \"15/01/2027 08:00:00\", \"updated at\": null}""#;
    assert_eq!(bought, (200, expected.to_owned()));
}

#[test]
fn under_legacy_rules_the_originals_clients_need_no_token() {
    let app = with_auth("on", &[200, 204, 503]);
    let call = |method: &str, path: &str, body: &str| {
        let request = Request::builder().method(method).uri(format!("{ROOT}{path}"));
        let request = request.header("content-type", "application/json").body(body.as_bytes().to_vec());
        let response = send(&API, &app, request.unwrap());
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind, String::from_utf8(response.into_body()).unwrap())
    };
    let html = |status: u16, body: &str| (status, werkzeug::HTML.to_owned(), body.to_owned());
    assert_eq!(call("GET", "/", ""), (200, "application/json".into(), "OK".into()));
    assert_eq!(call("POST", "", r#"{"user_id":7}"#).0, 200);
    let missing = r#"{"user_id": ["Missing data for required field."]}"#;
    assert_eq!(call("POST", "", "{}"), html(400, missing));
    let neither = r#"["The fields 'canceled' and 'restarted' cant be FALSE at the same time !"]"#;
    assert_eq!(call("PUT", "/01/status", "{}"), html(400, neither));
    let nobodys = "\"The subscription does not exist\"";
    assert_eq!(call("PUT", "/99999999999999999999/status", r#"{"canceled":true}"#), html(404, nobodys));
    // `auth` is away when it is told.
    let late = "\"The server did not send a response\"";
    assert_eq!(call("PUT", "/1/status", r#"{"canceled":true}"#), html(408, late));
}

#[test]
fn what_is_not_ready_in_time_is_performed_after_the_response() {
    let app = with_auth("off", &[200, 503, 204]);
    let token = token(&app, "7", Role::User);
    let request = Request::post("/subscriptions").header("authorization", format!("Bearer {token}"));
    let response = send(&API, &app, request.header("prefer", "wait=1").body(Vec::new()).unwrap());
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["preference-applied"], "wait=1");
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(as_json(call(&app, &token, "GET", &place, "")).1["status"], "waiting");
    ready(app.clock.sleep(std::time::Duration::from_secs(60)));
    ready(app.after.finish());
    assert_eq!(as_json(call(&app, &token, "GET", &place, "")).1["status"], "done");
}

#[test]
fn the_document_describes_every_route_but_those_between_components() {
    let document = octo_http::openapi::document("1", [(API.document)()]);
    let paths: Vec<_> = document.paths.paths.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "/api/v1/subscriptions",
            "/api/v1/subscriptions/{id}/status",
            "/subscriptions",
            "/subscriptions/replies/{correlation_id}",
            "/subscriptions/{id}",
            "/subscriptions/{id}/cancel",
            "/subscriptions/{id}/history",
            "/subscriptions/{id}/restart",
        ]
    );
}
