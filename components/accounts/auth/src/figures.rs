//! Figures for Prometheus.

use axum::extract::State;
use octo_http::{
    App, Error, Response,
    exposition::Exposition,
    extract::Collector,
    request_metrics::{self, Labels},
};

use crate::guards::sign_on;

/// Collect the metrics of sign-on
///
/// In Prometheus' text format, for callers that have the operator's `metrics_key` or an access token; where the shop's
/// dashboards expect them. Requests are counted as the variable `request_metrics_sample` says.
#[utoipa::path(
    get, path = "/user-api/metrics", tag = "accounts", operation_id = "getAccountMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn metrics(State(app): State<App>, _: Collector) -> Result<Response, Error> {
    let mut text = Exposition::default();
    text.family("users_registered_total", "counter", "Accounts that were made.");
    text.sample("users_registered_total", "", sign_on(&app)?.registered().await?);
    request_metrics::expose(&app, &mut text, "/user-api", Labels::Handler).await?;
    Ok(text.into_response())
}
