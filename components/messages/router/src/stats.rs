//! What became of the messages, as JSON for people and as text for Prometheus.

use std::collections::BTreeMap;

use http::StatusCode;
use octo_core::UnixMillis;
use octo_gateway::{
    free_tier::Status,
    routing::Reason,
    stats::{Counts, REASONS, Stats},
};
use octo_http::{Response, exposition::Exposition, respond};
use serde::Serialize;
use utoipa::ToSchema;

/// The body of `GET /messages/stats`. Times are RFC 3339.
#[derive(Serialize, ToSchema)]
#[schema(as = Stats)]
pub(crate) struct StatsBody<'a> {
    waiting: i64,
    total: CountsBody<'a>,
    window_seconds: u64,
    windows: Vec<WindowBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StatsWindow)]
pub(crate) struct WindowBody<'a> {
    #[schema(format = DateTime)]
    starts_at: String,
    #[schema(format = DateTime)]
    ends_at: String,
    #[serde(flatten)]
    counts: CountsBody<'a>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Counts)]
pub(crate) struct CountsBody<'a> {
    messages: i64,
    free: i64,
    paid: i64,
    refused: i64,
    failed: i64,
    #[schema(value_type = std::collections::HashMap<String, i64>)]
    paid_by_reason: &'a BTreeMap<Reason, i64>,
    #[schema(value_type = std::collections::HashMap<String, i64>)]
    refused_by_reason: &'a BTreeMap<Reason, i64>,
    #[schema(value_type = std::collections::HashMap<String, i64>)]
    failed_by_reason: &'a BTreeMap<Reason, i64>,
    blocked: i64,
    waited: i64,
    oracle_not_free: i64,
    regret: i64,
}

impl<'a> CountsBody<'a> {
    fn of(counts: &'a Counts) -> Self {
        let sum = |by_reason: &BTreeMap<Reason, i64>| by_reason.values().sum::<i64>();
        let (paid, refused, failed) = (sum(&counts.paid), sum(&counts.refused), sum(&counts.failed));
        Self {
            messages: counts.free + paid + refused + failed,
            free: counts.free,
            paid,
            refused,
            failed,
            paid_by_reason: &counts.paid,
            refused_by_reason: &counts.refused,
            failed_by_reason: &counts.failed,
            blocked: counts.blocked,
            waited: counts.waited,
            oracle_not_free: counts.oracle,
            regret: counts.regret(),
        }
    }
}

/// The answer of `GET /messages/stats`.
pub(crate) fn stats(figures: &Stats, window: std::time::Duration) -> Response {
    let windows = figures.windows.iter().map(|of_window| WindowBody {
        starts_at: of_window.starts_at.to_string(),
        ends_at: (of_window.starts_at + window).to_string(),
        counts: CountsBody::of(&of_window.counts),
    });
    let body = StatsBody {
        waiting: figures.waiting,
        total: CountsBody::of(&figures.total),
        window_seconds: window.as_secs(),
        windows: windows.collect(),
    };
    respond::json(StatusCode::OK, &body)
}

/// The answer of `GET /metrics`, in Prometheus' text format 0.0.4. The labels take only the values named in
/// this file and in [`Reason`].
pub(crate) fn metrics(figures: &Stats, status: &Status, now: UnixMillis) -> Response {
    let total = &figures.total;
    let mut text = Exposition::default();

    text.family("octo_messages_total", "counter", "Messages by what became of them, and why.");
    text.sample("octo_messages_total", r#"fate="free",reason="free_available""#, total.free);
    for (fate, by_reason) in [("paid", &total.paid), ("refused", &total.refused), ("failed", &total.failed)] {
        // Whether or not one had it: a time series that appears late has no beginning.
        for reason in REASONS.into_iter().filter(|reason| *reason != Reason::FreeAvailable) {
            let labels = format!("fate=\"{fate}\",reason=\"{}\"", reason.name());
            text.sample("octo_messages_total", &labels, by_reason.get(&reason).copied().unwrap_or(0));
        }
    }
    let counters = [
        ("octo_free_provider_blocks_total", "Calls the free provider refused.", total.blocked),
        ("octo_messages_waited_total", "Messages that waited in line for a free slot.", total.waited),
        (
            "octo_oracle_not_free_total",
            "Messages that a caller with perfect knowledge could not have sent free either.",
            total.oracle,
        ),
    ];
    for (name, help, value) in counters {
        text.family(name, "counter", help);
        text.sample(name, "", value);
    }
    let open_in = status.closed.map_or(0, |closed| closed.reopens_at.seconds_from(now));
    let gauges = [
        ("octo_regret_messages", "Messages that did not go free although they could have.", total.regret()),
        ("octo_messages_waiting", "Messages in line for a free slot.", figures.waiting),
        ("octo_free_slots_limit", "Free calls of a window.", status.limit),
        ("octo_free_slots_used", "Free slots held now.", status.used),
        ("octo_free_slots_remaining", "Free slots a message could get now.", status.remaining),
        ("octo_free_open", "Whether the free provider takes calls now.", status.closed.is_none().into()),
        ("octo_free_reopens_seconds", "Time until it does.", i64::try_from(open_in).unwrap_or(i64::MAX)),
    ];
    for (name, help, value) in gauges {
        text.family(name, "gauge", help);
        text.sample(name, "", value);
    }
    text.into_response()
}
