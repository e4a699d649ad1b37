//! Figures for Prometheus.

use axum::extract::State;
use octo_http::{
    App, Error, Response,
    exposition::Exposition,
    extract::Collector,
    request_metrics::{self, Labels},
};
use octo_shop::Status;
use octo_shop_http::{metrics::Orders, sql};

/// Collect the metrics of orders
///
/// In Prometheus' text format, for callers that have the operator's `metrics_key` or an access token. Requests are counted
/// as the variable `request_metrics_sample` says.
#[utoipa::path(
    get, path = "/order-api/metrics", tag = "orders", operation_id = "getOrderMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn metrics(State(app): State<App>, _: Collector) -> Result<Response, Error> {
    let orders = Orders::read(&sql(&app)).await?;
    let mut text = Exposition::default();
    text.family("orders_created_total", "counter", "Orders that were made.");
    text.sample("orders_created_total", "", orders.made());
    text.family("orders_status_total", "counter", "How often orders got each status.");
    for status in Status::ALL {
        let labels = format!(r#"status="{}""#, status.name());
        text.sample("orders_status_total", &labels, orders.with_status(status));
    }
    request_metrics::expose(&app, &mut text, "/order-api", Labels::Handler).await?;
    Ok(text.into_response())
}
