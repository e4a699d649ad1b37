use octo_databases::Sqlite;
use octo_http::testing::{app, open_routes};

use crate::API;

const SETTINGS: [(&str, &str); 9] = [
    ("shop_created_seconds", "5"),
    ("shop_processing_seconds", "5"),
    ("shop_delivery_min_seconds", "60"),
    ("shop_delivery_max_seconds", "300"),
    ("shop_delivered_shown_seconds", "300"),
    ("shop_paid_discount_percent", "0"),
    ("request_metrics_sample", "0"),
    ("legacy_rules", "off"),
    ("metrics_key", "metrics"),
];

#[test]
fn only_what_is_for_everybody_lets_everybody_in() {
    let app = app("orders", &SETTINGS, Sqlite::in_memory());
    assert_eq!(
        open_routes(&API, &app),
        [
            "GET /order-api/",
            "GET /order-api/health",
            // 422, then 403.
            "PUT /order-api/orders/{order_id}/status",
            "GET /order-api/orders/statuses/list",
            "GET /order-api/profiling/status",
            "GET /order-api/profiling/profiles",
            // `auth` decides, and is not there.
            "GET /user-api/users/me",
            "PUT /user-api/users/me",
            "GET /user-api/profiling/status",
            "GET /user-api/profiling/profiles",
        ]
    );
}
