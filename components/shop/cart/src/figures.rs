//! Figures for Prometheus.

use axum::extract::State;
use octo_http::{
    App, Error, Response,
    exposition::Exposition,
    extract::Collector,
    request_metrics::{self, Labels},
};
use octo_shop::figures::{self, LINE_BOUNDS, VALUE_BOUNDS};
use octo_shop_http::{metrics::Orders, sql};

/// Collect the metrics of the carts
///
/// In Prometheus' text format, for callers that have the operator's `metrics_key` or an access token. Requests are counted
/// as the variable `request_metrics_sample` says.
#[utoipa::path(
    get, path = "/cart-api/metrics", tag = "cart", operation_id = "getCartMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn metrics(State(app): State<App>, _: Collector) -> Result<Response, Error> {
    let sql = sql(&app);
    let (carts, lines) = figures::carts(&sql).await?;
    let orders = Orders::read(&sql).await?;
    let mut text = Exposition::default();
    text.family("octo_carts", "gauge", "Carts that have something in them.");
    text.sample("octo_carts", "", carts);
    text.family("octo_cart_lines", "gauge", "What they have, in lines.");
    text.sample("octo_cart_lines", "", lines);
    text.family("checkouts_total", "counter", "Orders that were made.");
    text.sample("checkouts_total", "", orders.made());
    orders.histogram(
        &mut text,
        "cart_value_cents",
        "What orders come to, in kopecks.",
        "value",
        &VALUE_BOUNDS,
    );
    orders.histogram(&mut text, "cart_items_count", "How many lines orders have.", "lines", &LINE_BOUNDS);
    request_metrics::expose(&app, &mut text, "/cart-api", Labels::Handler).await?;
    Ok(text.into_response())
}
