//! How many requests a component had, and how long they took, for Prometheus.
//!
//! An instance may serve one request and be gone, so what is counted is a row of the database. It is written after the
//! response, for one request of [`SETTING`] (drawn by lot, and counted as that many), and not at all when that is 0. So no
//! client waits for it, and how many synced writes it costs is the operator's choice. The labels are bounded: a route is
//! counted under its pattern, and what no route takes is not counted.

use std::{fmt::Write, sync::Arc};

use http::Method;
use octo_core::{
    Clock, Entropy, Settings, Sql, SqlError, UnixMillis, settings,
    sql::{Migrated, Schema, Step},
    time::millis,
};

use crate::{App, Response, exposition::Exposition};

/// Of how many requests one is counted; 0 for none.
pub const SETTING: &str = "request_metrics_sample";

/// The largest sample.
pub const MOST: i64 = 1000;

/// The bounds of the histogram, in milliseconds: those that Prometheus' libraries have by default.
const BOUNDS: [i64; 14] = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000];

/// Rows that a route is spread over, so that instances rarely wait for one another.
const SHARDS: u8 = 8;

const TABLES: &[&Schema] = &[&SCHEMA];

const SCHEMA: Schema = Schema { name: "request-metrics", versions: &[FIRST] };

// `bound`: the number of the first bound that the duration is not above.
const FIRST: &[Step] = &[Step::Both(
    "CREATE TABLE IF NOT EXISTS request_metrics (
        component {text} NOT NULL,
        route {text} NOT NULL,
        method {text} NOT NULL,
        status BIGINT NOT NULL,
        bound BIGINT NOT NULL,
        shard BIGINT NOT NULL,
        requests BIGINT NOT NULL,
        ms BIGINT NOT NULL,
        PRIMARY KEY (component, route, method, status, bound, shard)
    )",
)];

/// The pattern of the route that took a request. Put into the response's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Matched(pub(crate) String);

/// Whether the variable is right.
///
/// # Errors
/// Names the variable and its rule.
pub fn check(settings: &impl Settings) -> Result<(), octo_core::SettingError> {
    settings::number::<i64>(settings, SETTING, 0..=MOST).map(drop)
}

/// Put into the extensions of a response that is not worth counting, for it is to cost next to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Uncounted;

/// Counts a request that was carried out, once its client has the response.
pub(crate) fn count(app: &App, method: &Method, response: &mut Response, began: UnixMillis) {
    let extensions = response.extensions_mut();
    let Some(Matched(route)) = extensions.remove::<Matched>() else { return };
    if !app.counts_requests || extensions.remove::<Uncounted>().is_some() {
        return;
    }
    let weight = match settings::number::<i64>(&app.settings, SETTING, 0..=MOST) {
        Ok(weight) if weight > 0 => weight,
        _ => return,
    };
    let [shard, lot @ ..] = app.entropy.bytes::<9>();
    if u64::from_le_bytes(lot) % weight.unsigned_abs() != 0 {
        return;
    }
    let (method, status) = (method.to_string(), i64::from(response.status().as_u16()));
    let ms = millis(app.clock.now().since(began));
    let bound = BOUNDS.iter().position(|bound| ms <= *bound).unwrap_or(BOUNDS.len()) as i64;
    let later = app.clone();
    app.after.run(async move {
        let statement = "INSERT INTO request_metrics (component, route, method, status, bound, shard, requests, ms)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (component, route, method, status, bound, shard) DO UPDATE SET
                requests = request_metrics.requests + excluded.requests, ms = request_metrics.ms + excluded.ms";
        let parameters = [
            later.name.into(),
            route.into(),
            method.into(),
            status.into(),
            bound.into(),
            i64::from(shard % SHARDS).into(),
            weight.into(),
            (ms.saturating_mul(weight)).into(),
        ];
        // A figure that is lost is a figure: it is not worth a failure.
        drop(Migrated::new(&later.sql, TABLES).query(statement, &parameters).await);
    });
}

/// How an original's dashboards call what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// `endpoint`, and the whole status as `status_code`.
    Endpoint,
    /// `handler`, and the status by its hundreds as `status`.
    Handler,
}

struct Counted {
    route: String,
    method: String,
    status: i64,
    bound: i64,
    requests: i64,
    ms: i64,
}

octo_core::from_row!(Counted { route, method, status, bound, requests, ms });

/// Adds what is counted of the component to `text`: `http_requests_total` and `http_request_duration_seconds`. Routes are
/// called as they are under `prefix`.
///
/// # Errors
/// Those of the database.
pub async fn expose(app: &App, text: &mut Exposition, prefix: &str, labels: Labels) -> Result<(), SqlError> {
    let sql: Arc<dyn Sql> = app.sql.clone();
    let statement = "SELECT route, method, status, bound, CAST(SUM(requests) AS BIGINT) AS requests,
            CAST(SUM(ms) AS BIGINT) AS ms
        FROM request_metrics WHERE component = $1 GROUP BY route, method, status, bound
        ORDER BY route, method, status, bound";
    let counted: Vec<Counted> = Migrated::new(&sql, TABLES).fetch(statement, &[app.name.into()]).await?;
    let name = match labels {
        Labels::Endpoint => "endpoint",
        Labels::Handler => "handler",
    };
    let shown = |of: &Counted| {
        let route = of.route.strip_prefix(prefix).unwrap_or(&of.route);
        format!(r#"method="{}",{name}="{route}""#, of.method)
    };
    text.family("http_requests_total", "counter", "Requests, by route and status.");
    for group in counted.chunk_by(|one, other| {
        (&one.route, &one.method, status(labels, one)) == (&other.route, &other.method, status(labels, other))
    }) {
        let Some(first) = group.first() else { continue };
        let sample = format!("{},{}", shown(first), status(labels, first));
        text.sample("http_requests_total", &sample, group.iter().map(|of| of.requests).sum());
    }
    let family = "http_request_duration_seconds";
    text.family(family, "histogram", "How long requests took, by route.");
    for group in counted.chunk_by(|one, other| (&one.route, &one.method) == (&other.route, &other.method)) {
        let Some(first) = group.first() else { continue };
        let base = shown(first);
        let all: i64 = group.iter().map(|of| of.requests).sum();
        for (number, bound) in (0..).zip(BOUNDS) {
            let within = group.iter().filter(|of| of.bound <= number).map(|of| of.requests).sum();
            let bound = seconds(bound);
            text.sample(&format!("{family}_bucket"), &format!(r#"{base},le="{bound}""#), within);
        }
        text.sample(&format!("{family}_bucket"), &format!(r#"{base},le="+Inf""#), all);
        let sum: i64 = group.iter().map(|of| of.ms).sum();
        text.decimal(&format!("{family}_sum"), &base, &seconds(sum));
        text.sample(&format!("{family}_count"), &base, all);
    }
    Ok(())
}

fn status(labels: Labels, of: &Counted) -> String {
    match labels {
        Labels::Endpoint => format!(r#"status_code="{}""#, of.status),
        Labels::Handler => format!(r#"status="{}xx""#, of.status / 100),
    }
}

/// Milliseconds as seconds, without zeros at the end.
fn seconds(ms: i64) -> String {
    let mut text = (ms / 1000).to_string();
    if ms % 1000 != 0 {
        // Writing to a string does not fail.
        let _ = write!(text, ".{:03}", ms % 1000);
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_written_as_seconds() {
        let texts = [5, 10, 75, 250, 1000, 2500, 0, 100_001].map(seconds);
        assert_eq!(texts, ["0.005", "0.01", "0.075", "0.25", "1", "2.5", "0", "100.001"]);
    }
}
