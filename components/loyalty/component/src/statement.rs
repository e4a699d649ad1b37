//! A member's statement of account.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode, header};
use octo_core::{Problem, UnixMillis, UtcDay};
use octo_http::{App, Caller, Error, Page, Response, page::PageParams, query::Query, respond};
use octo_loyalty::{
    Transfer,
    history::{self, Period},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    members,
    responses::TransferBody,
    worker::{config, sql},
};

/// Days of a statement when nothing else is asked for.
const DAYS: i64 = 30;

/// What happened to a member's points from one day to another.
#[derive(Serialize, ToSchema)]
#[schema(as = PointsStatement)]
pub(crate) struct StatementBody {
    #[schema(example = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c909")]
    uuid: String,
    /// The first day, in UTC.
    #[schema(example = "2026-11-01")]
    from: String,
    /// The last day, in UTC.
    #[schema(example = "2026-11-30")]
    to: String,
    /// The balance before the first of these transfers.
    #[schema(example = 100)]
    opening: i64,
    /// The balance after the last of these transfers.
    #[schema(example = 80)]
    closing: i64,
    /// The transfers, oldest first.
    items: Vec<TransferBody>,
    /// What to send as `after` for the page that follows; null when this may be the last one.
    #[schema(required)]
    next: Option<String>,
}

/// See a statement of an account's points
///
/// As JSON, or with `Accept: text/csv` as CSV. For the account's owner and for administrators.
#[utoipa::path(
    get, path = "/loyalty/accounts/{uuid}/statement", tag = "loyalty", operation_id = "getPointsStatement",
    params(
        ("uuid" = String, Path, description = "The account's UUID."),
        ("from" = Option<String>, Query, description = "The first day (in UTC), such as 2026-11-01; 30 days before the last one when it is not given."),
        ("to" = Option<String>, Query, description = "The last day (in UTC); today when it is not given."),
        PageParams,
    ),
    responses(
        (status = 200, description = "The statement.", content((StatementBody = "application/json"), (String = "text/csv"))),
        (status = 404, description = "There is no such account, or it is somebody else's."),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn statement(
    State(app): State<App>,
    caller: Caller,
    Path(uuid): Path<String>,
    query: Query,
    page: Page,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let to = day(&query, "to")?.unwrap_or_else(|| UtcDay::containing(app.clock.now()));
    let from = day(&query, "from")?.unwrap_or(UtcDay(to.0 - DAYS));
    if from > to {
        return Err(Problem::invalid("/to", "must not be before `from`").into());
    }
    let member = members::visible(&app, &config(&app)?, &caller, &uuid).await?;
    let sql = sql(&app);
    let period = Period { from: from.start(), to: to.next().start() };
    let after = page.after_number()?;
    let found = history::of_period(&sql, member.id, period, after, page.limit).await?;
    if wants_csv(&headers) {
        return csv(&found);
    }
    let opening = match found.first() {
        Some(first) => first.balance - first.change(),
        None => history::balance_before(&sql, member.id, period.to).await?,
    };
    let items = page.items(&found, TransferBody::from, |transfer| transfer.id);
    let closing = found.last().map_or(opening, |last| last.balance);
    let (from, to) = (from.to_string(), to.to_string());
    let uuid = member.uuid;
    let body = StatementBody { uuid, from, to, opening, closing, items: items.items, next: items.next };
    Ok(respond::json(StatusCode::OK, &body))
}

fn day(query: &Query, name: &str) -> Result<Option<UtcDay>, Problem> {
    let Some(text) = query.get(name) else { return Ok(None) };
    let day = UtcDay::parse(text).filter(|day| day.0.abs() < 100_000);
    day.map(Some).ok_or_else(|| Problem::invalid(format!("/{name}"), "must be a date, such as 2026-11-26"))
}

fn wants_csv(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let first = accepted.split([',', ';']).next().unwrap_or("");
    first.trim().eq_ignore_ascii_case("text/csv")
}

/// The transfers as CSV (RFC 4180), a line each.
fn csv(transfers: &[Transfer]) -> Result<Response, Error> {
    let broken = |error: csv::Error| Problem::internal().because(error);
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["id", "at", "kind", "change", "balance", "comment"]).map_err(broken)?;
    for transfer in transfers {
        let Transfer { id, at, kind, balance, comment, .. } = transfer;
        let cells = [
            id.to_string(),
            UnixMillis::to_string(at),
            kind.name().to_owned(),
            transfer.change().to_string(),
            balance.to_string(),
            harmless(comment),
        ];
        writer.write_record(&cells).map_err(broken)?;
    }
    let bytes = writer.into_inner().map_err(|error| Problem::internal().because(error))?;
    Ok(respond::with_body(StatusCode::OK, "text/csv; charset=utf-8", bytes))
}

/// A text that no spreadsheet takes for a formula (OWASP, CSV injection).
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
