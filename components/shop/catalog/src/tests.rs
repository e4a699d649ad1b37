use octo_core::testing::FakeSettings;
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
    let app = app("catalog", &SETTINGS, Sqlite::in_memory());
    assert_eq!(
        open_routes(&API, &app),
        [
            "GET /shop/products",
            "GET /shop/products/{id}",
            "GET /shop/categories",
            "GET /api/",
            "GET /api/system/health",
            "GET /api/products/",
            "GET /api/products/{product_id}",
            "GET /api/products/categories/list",
            "GET /api/products/by-category/{category}",
            "GET /api/system/profiling/status",
            "GET /api/system/profiling/profiles",
            "GET /api/swagger",
            "GET /api/openapi.json",
        ]
    );
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value) in [
        ("shop_created_seconds", "-1"),
        ("shop_delivery_min_seconds", "301"),
        ("shop_paid_discount_percent", "91"),
        ("request_metrics_sample", "many"),
    ] {
        let mut settings = SETTINGS.to_vec();
        settings.retain(|(known, _)| *known != name);
        settings.push((name, value));
        let settings = FakeSettings::of(&settings);
        let error = (API.settings)(&settings).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}
