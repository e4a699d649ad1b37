use http::Request;
use octo_core::sql::NoSql;
use octo_http::testing::{app, open_routes, send};

use crate::API;

const SETTINGS: [(&str, &str); 34] = [
    ("free_limit", "50"),
    ("free_window_seconds", "60"),
    ("free_block_seconds", "60"),
    ("free_window_model", "aligned"),
    ("free_clock_skew_ms", "250"),
    ("free_daily_per_user", "0"),
    ("paid_daily_per_user", "0"),
    ("redis_url", ""),
    ("store_timeout_ms", "1000"),
    ("metrics_key", ""),
    ("free_provider_origin", "http://free-provider.spin.internal"),
    ("free_provider_preset", "plain"),
    ("free_provider_model", ""),
    ("free_provider_path", ""),
    ("free_provider_template", ""),
    ("free_provider_headers", ""),
    ("free_provider_key_in", ""),
    ("free_provider_success", ""),
    ("free_provider_key", ""),
    ("free_provider_timeout_ms", "5000"),
    ("free_provider_message_field", ""),
    ("free_provider_response_pointer", ""),
    ("paid_provider_origin", "http://paid-provider.spin.internal"),
    ("paid_provider_preset", "plain"),
    ("paid_provider_model", ""),
    ("paid_provider_path", ""),
    ("paid_provider_template", ""),
    ("paid_provider_headers", ""),
    ("paid_provider_key_in", ""),
    ("paid_provider_success", ""),
    ("paid_provider_key", ""),
    ("paid_provider_timeout_ms", "10000"),
    ("paid_provider_message_field", ""),
    ("paid_provider_response_pointer", ""),
];

#[test]
fn nobody_gets_in_without_a_credential() {
    // These are the earlier system's, which sends the token in the query, and confirms redirections to everybody.
    let open = open_routes(&API, &app("router", &SETTINGS, NoSql));
    assert_eq!(
        open,
        [
            "POST /free_provider",
            "POST /paid_provider",
            "GET /free_provider/redirected",
            "GET /paid_provider/redirected",
        ]
    );
}

#[test]
fn the_earlier_system_redirects_from_a_slash_at_the_end_and_refuses_in_its_own_words() {
    let app = app("router", &SETTINGS, NoSql);
    let response = |method: &str, target: &str| {
        let request = Request::builder().method(method).uri(target).body(Vec::new()).unwrap();
        let response = send(&API, &app, request);
        (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
    };
    assert_eq!(response("POST", "/free_provider/?message=abc").0, 307);
    assert_eq!(response("GET", "/free_provider"), (405, r#"{"detail":"Method Not Allowed"}"#.into()));
    assert_eq!(response("GET", "/free_provider/else"), (404, r#"{"detail":"Not Found"}"#.into()));
    assert_eq!(response("GET", "/messages").0, 405);
    assert_eq!(response("GET", "/messages/quota/").0, 401, "ours take any slashes");
}
