use http::Request;
use octo_core::sql::NoSql;
use octo_http::testing::{app, open_routes, send};
use octo_http::{App, Response};

use crate::API;

fn auth() -> App {
    let settings = [
        ("signing_key", ""),
        ("published_key", ""),
        ("signing_key_days", "0"),
        ("bootstrap_secret", ""),
        ("access_token_seconds", "900"),
        ("session_seconds", "2592000"),
        ("free_daily_per_user", "0"),
        ("legacy_rules", "off"),
        ("password_hash_slots", "4"),
        ("trusted_proxies", "0"),
        ("metrics_key", "metrics"),
    ];
    app("auth", &settings, NoSql)
}

fn response(method: &str, target: &str, fields: &[(&str, &str)], body: &str) -> Response {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    send(&API, &auth(), request.body(body.into()).unwrap())
}

fn told(response: Response) -> (u16, String) {
    (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
}

#[test]
fn these_routes_and_no_others_look_at_a_request_without_a_credential() {
    let open = open_routes(&API, &auth());
    assert_eq!(
        open,
        [
            "POST /auth/register",
            "POST /auth/login",
            "POST /auth/refresh",
            // It judges the secret only after the body.
            "POST /auth/administrators",
            "POST /auth/revoke",
            "GET /.well-known/jwks.json",
            "POST /auth/request-verify-token",
            "POST /auth/verify",
            "POST /auth/registration",
            "GET /auth/ready",
            "GET /auth/healthz",
            "GET /user-api/",
            "GET /user-api/health",
            "POST /user-api/users/register",
            "POST /user-api/token",
            // 404, unless `legacy_rules` are on.
            "GET /user-api/swagger-admin-token",
            "GET /internal/settings",
        ]
    );
}

#[test]
fn a_path_of_an_earlier_system_alone_refuses_in_its_words() {
    let method = |method: &str, path: &str| told(response(method, path, &[], ""));
    let fastapi = |text: &str| format!(r#"{{"detail":"{text}"}}"#);
    assert_eq!(method("PUT", "/auth/verify"), (405, fastapi("Method Not Allowed")));
    assert_eq!(method("POST", "/welcome/"), (405, fastapi("Method Not Allowed")));
    assert_eq!(method("PUT", "/auth/registration"), (405, String::new()));
    assert_eq!(method("OPTIONS", "/auth/info"), (405, String::new()));
    assert_eq!(method("GET", "/user-api/else"), (404, fastapi("Not Found")));
    assert_eq!(method("DELETE", "/user-api/users/register"), (405, fastapi("Method Not Allowed")));
    let (status, problem) = method("PUT", "/auth/login");
    assert!(status == 405 && problem.contains("urn:octo:problem:method-not-allowed"), "{problem}");
}

#[test]
fn the_shop_has_its_own_rules_for_slashes() {
    let place = |path: &str| {
        let response = response("GET", path, &[], "");
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), location)
    };
    assert_eq!(place("/user-api"), (301, Some("/user-api/".into())));
    assert_eq!(place("/user-api/"), (200, None));
    assert_eq!(place("/user-api/health"), (200, None));
    assert_eq!(place("/user-api/health/").0, 307);
    assert_eq!(place("/user-api/else/"), (404, None));
    assert_eq!(place("/user-api//"), (404, None));
}

#[test]
fn clients_of_a_shared_path_are_told_apart() {
    let json = [("content-type", "application/json")];
    let form = [("content-type", "application/x-www-form-urlencoded")];
    // Each is refused for what is missing, in the words of its own system.
    let (status, text) = told(response("POST", "/auth/login", &json, r#"{"username":"ada"}"#));
    assert!(status == 422 && text.contains("`/password` is required"), "{text}");
    let (status, text) = told(response("POST", "/auth/login", &form, "username=ada"));
    assert!(status == 422 && text.contains("Field required"), "{text}");
    let (status, text) = told(response("POST", "/auth/login", &json, r#"{"email":"ada"}"#));
    assert!(status == 400 && text.contains("field Email is not valid"), "{text}");
    let (status, text) = told(response("POST", "/auth/register", &json, r#"{"paid_access":true}"#));
    assert!(status == 422 && text.contains("Field required"), "{text}");
    assert_eq!(told(response("GET", "/users/me", &[], "")), (401, r#"{"detail":"Unauthorized"}"#.into()));
    let (status, text) = told(response("GET", "/users/me", &[("authorization", "Bearer x")], ""));
    assert!(status == 401 && text.contains("urn:octo:problem:unauthorized"), "{text}");
}
