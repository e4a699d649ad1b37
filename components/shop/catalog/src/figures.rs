//! Figures for Prometheus.

use axum::extract::State;
use octo_http::{
    App, Error, Response,
    exposition::Exposition,
    extract::Collector,
    request_metrics::{self, Labels},
};
use octo_shop::figures;
use octo_shop_http::sql;

/// Collect the metrics of the catalogue
///
/// In Prometheus' text format, for callers that have the operator's `metrics_key` or an access token. Requests are counted
/// as the variable `request_metrics_sample` says.
#[utoipa::path(
    get, path = "/api/metrics", tag = "catalog", operation_id = "getCatalogMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn metrics(State(app): State<App>, _: Collector) -> Result<Response, Error> {
    let mut text = Exposition::default();
    let categories = figures::products(&sql(&app)).await?;
    text.family("products_total", "gauge", "Products that are sold.");
    text.sample("products_total", "", categories.iter().map(|category| category.value).sum());
    text.family("products_by_category", "gauge", "Products that are sold, of the largest categories.");
    for category in &categories {
        let name = octo_http::exposition::escaped(&category.name);
        text.sample("products_by_category", &format!(r#"category="{name}""#), category.value);
    }
    request_metrics::expose(&app, &mut text, "/api", Labels::Endpoint).await?;
    Ok(text.into_response())
}
