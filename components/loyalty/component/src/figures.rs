//! Figures for Prometheus.

use axum::extract::State;
use octo_http::{App, Error, Response, exposition::Exposition, extract::Collector};
use octo_loyalty::{check, expiry};

use crate::worker::sql;

/// Collect the metrics of loyalty
///
/// In Prometheus' text format, for callers that have the operator's `metrics_key` or an access token.
#[utoipa::path(
    get, path = "/metrics/loyalty", tag = "loyalty", operation_id = "getLoyaltyMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn metrics(State(app): State<App>, _: Collector) -> Result<Response, Error> {
    let sql = sql(&app);
    let kept = check::kept(&sql).await?;
    let mut text = Exposition::default();
    text.family("octo_points", "gauge", "The balance of each account of the points ledger. Their sum is 0.");
    for (account, points) in &kept {
        text.sample("octo_points", &format!(r#"account="{}""#, account.name()), *points);
    }
    text.family("octo_points_sum", "gauge", "The sum of these balances: 0, or the ledger is damaged.");
    text.sample("octo_points_sum", "", kept.iter().map(|(_, points)| points).sum());
    text.family("octo_points_lots_overdue", "gauge", "Lots that have ended and wait to be written down.");
    text.sample("octo_points_lots_overdue", "", expiry::overdue(&sql, app.clock.now()).await?);
    Ok(text.into_response())
}
