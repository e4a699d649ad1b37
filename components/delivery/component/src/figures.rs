//! Figures for Prometheus.

use axum::extract::State;
use octo_core::UnixMillis;
use octo_delivery::{Parcels, rate_book, sums};
use octo_http::{App, Error, Response, exposition::Exposition, extract::Collector};

use crate::pricing::sql;

/// Collect the metrics of delivery
///
/// In Prometheus' text format, for callers that have the operator's `metrics_key` or an access token.
#[utoipa::path(
    get, path = "/metrics/delivery", tag = "delivery", operation_id = "getDeliveryMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")),
    security(("operator_key" = []), ("access_token" = []))
)]
pub(crate) async fn metrics(State(app): State<App>, _: Collector) -> Result<Response, Error> {
    let (sql, now) = (sql(&app), app.clock.now());
    let backlog = Parcels::new(&sql).backlog().await?;
    let rate = rate_book::status(&sql).await?;
    let mut text = Exposition::default();
    text.family("octo_parcels", "gauge", "Parcels that have no price, by state.");
    text.sample("octo_parcels", r#"state="pending""#, backlog.pending);
    text.sample("octo_parcels", r#"state="failed""#, backlog.failed);
    text.family("octo_parcels_priced_total", "counter", "Prices that were found out.");
    text.sample("octo_parcels_priced_total", "", sums::number_in_all(&sql).await?);
    let age = |since: UnixMillis| i64::try_from(now.since(since).as_secs()).unwrap_or(i64::MAX);
    let fetched_at = Some(rate.fetched_at).filter(|at| at.0 > 0);
    let day = rate.rate.map_or(0, |rate| rate.day.start().as_secs());
    for (name, help, value) in [
        (
            "octo_parcels_oldest_pending_seconds",
            "Since when the oldest of them waits.",
            backlog.oldest_at.map_or(0, age),
        ),
        (
            "octo_parcel_rate_age_seconds",
            "How long ago the source last sent a good rate; -1 for never.",
            fetched_at.map_or(-1, age),
        ),
        ("octo_parcel_rate_day_seconds", "The day of the rate, as seconds since the epoch; 0 for none.", day),
    ] {
        text.family(name, "gauge", help);
        text.sample(name, "", value);
    }
    text.family("octo_parcel_rate_failures_total", "counter", "Failures of the source of the rate.");
    text.sample("octo_parcel_rate_failures_total", "", rate.failures);
    Ok(text.into_response())
}
