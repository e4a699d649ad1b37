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
    let app = app("cart", &SETTINGS, Sqlite::in_memory());
    // A visitor without an account has a cart of their own, and no orders.
    assert_eq!(
        open_routes(&API, &app),
        [
            "GET /shop/cart",
            "POST /shop/cart/items",
            "PUT /shop/cart/items/{product_id}",
            "DELETE /shop/cart/items/{product_id}",
            "DELETE /shop/cart",
            "GET /shop/views",
            "PUT /shop/views/{product_id}",
            "GET /cart-api/",
            "GET /cart-api/health",
            // 403.
            "GET /cart-api/carts/",
            "GET /cart-api/profiling/status",
            "GET /cart-api/profiling/profiles",
        ]
    );
}
