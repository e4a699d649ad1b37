//! The free quota as it is now: a gauge, the last windows as a chart, and both as a table.

use askama::Template;
use axum::extract::State;
use futures::future::join;
use http::StatusCode;
use octo_http::{App, Error, Response};

use crate::{
    language::Language,
    octo::{Counts, Octo, Quota, Stats},
    page,
    visitor::Visitor,
};

/// Windows in the chart.
const SHOWN: usize = 12;
/// The chart's measures, in its own units: room for the bars above the axis, and from one bar to the next.
const HEIGHT: i64 = 100;
const STEP: i64 = 40;

/// What is live on a page.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) language: Language,
    pub(crate) gauge: Gauge,
    pub(crate) chart: Chart,
}

#[derive(Debug)]
pub(crate) struct Gauge {
    /// In a thousand.
    pub(crate) share: i64,
    pub(crate) used: String,
    pub(crate) limit: String,
    pub(crate) remaining: String,
    pub(crate) ends_at: String,
    /// Why the free provider takes no calls, as the API names it.
    pub(crate) closed_because: Option<String>,
    pub(crate) reopens_at: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Chart {
    /// The most messages of a window.
    pub(crate) most: String,
    /// Oldest first.
    pub(crate) bars: Vec<Bar>,
    /// Newest first.
    pub(crate) rows: Vec<Row>,
    pub(crate) total: Row,
}

#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) x: i64,
    pub(crate) parts: Vec<Part>,
}

/// A part of a bar.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) kind: &'static str,
    pub(crate) y: i64,
    pub(crate) height: i64,
}

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) starts_at: String,
    pub(crate) free: String,
    pub(crate) paid: String,
    pub(crate) refused: String,
    pub(crate) failed: String,
    pub(crate) why_paid: String,
}

impl Live {
    pub(crate) fn new(language: Language, quota: Quota, stats: &Stats) -> Self {
        Self { language, gauge: Gauge::new(language, quota), chart: Chart::new(language, stats) }
    }

    /// As the API has it now, or nothing when it cannot be asked.
    pub(crate) async fn now(octo: &Octo<'_>) -> Option<Self> {
        let (quota, stats) = join(octo.quota(), octo.stats()).await;
        Some(Self::new(octo.visitor.language, quota.ok()?, &stats.ok()?))
    }

    pub(crate) fn t(&self) -> &'static crate::language::Texts {
        self.language.texts()
    }
}

impl Gauge {
    fn new(language: Language, quota: Quota) -> Self {
        let full = quota.limit.max(1);
        Self {
            share: quota.used.clamp(0, full).saturating_mul(1000) / full,
            used: language.number(quota.used),
            limit: language.number(quota.limit),
            remaining: language.number(quota.remaining),
            ends_at: quota.window.ends_at,
            closed_because: quota.closed_because,
            reopens_at: quota.free_reopens_at,
        }
    }
}

impl Chart {
    fn new(language: Language, stats: &Stats) -> Self {
        let shown = || stats.windows.iter().take(SHOWN);
        let most = shown().map(|window| window.counts.messages).max().unwrap_or(0).max(1);
        let bars = shown()
            .rev()
            .zip(0..)
            .map(|(window, place)| Bar { x: place * STEP, parts: parts(&window.counts, most) });
        Self {
            most: language.number(most),
            bars: bars.collect(),
            rows: shown().map(|window| Row::new(language, &window.starts_at, &window.counts)).collect(),
            total: Row::new(language, "", &stats.total),
        }
    }

    /// How wide it is.
    pub(crate) fn width(&self) -> i64 {
        STEP * SHOWN as i64
    }
}

/// What stands above one another in a bar, from the axis up.
fn parts(counts: &Counts, most: i64) -> Vec<Part> {
    let heights = [
        ("free", counts.free),
        ("paid", counts.paid),
        ("refused", counts.refused),
        ("failed", counts.failed),
    ];
    let (mut below, mut parts) = (0, Vec::new());
    for (kind, count) in heights.into_iter().filter(|(_, count)| *count > 0) {
        // Seen however few they are.
        let height = (count.saturating_mul(HEIGHT) / most).max(1);
        below += height;
        parts.push(Part { kind, y: HEIGHT - below, height });
    }
    parts
}

impl Row {
    fn new(language: Language, starts_at: &str, counts: &Counts) -> Self {
        let why = counts.paid_by_reason.iter().filter(|(_, count)| **count > 0).map(|(reason, count)| {
            format!("{}: {}", language.texts().reason(reason), language.number(*count))
        });
        Self {
            starts_at: starts_at.to_owned(),
            free: language.number(counts.free),
            paid: language.number(counts.paid),
            refused: language.number(counts.refused),
            failed: language.number(counts.failed),
            why_paid: why.collect::<Vec<_>>().join("; "),
        }
    }
}

#[derive(Template)]
#[template(path = "live.html")]
struct LivePart<'a> {
    live: &'a Live,
}

/// Get what is live
///
/// The part of a page that the script puts in the place of an older one.
#[utoipa::path(get, path = "/live", tag = "pages", operation_id = "showLive", responses((status = 200), (status = 303)))]
pub(crate) async fn live(State(app): State<App>, visitor: Visitor) -> Result<Response, Error> {
    let octo = Octo::of(&app, &visitor);
    if octo.token.is_none() {
        return Ok(page::to_login("/"));
    }
    let (quota, stats) = join(octo.quota(), octo.stats()).await;
    let refused = |refused| octo.refused("/", &refused);
    let live = Live::new(visitor.language, quota.map_err(refused)?, &stats.map_err(refused)?);
    Ok(page::html(StatusCode::OK, &LivePart { live: &live }))
}
