//! Our own routes for members.

use std::time::Duration;

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use octo_core::UnixMillis;
use octo_http::{
    App, Caller, Error, Items, Page, Response,
    body::Fields,
    idempotency::{Fingerprint, IdempotencyKey, Scope},
    page::PageParams,
    path, respond,
};
use octo_loyalty::{
    Account, Key, Kind, Ledger, Member, NewTransfer, Posted, history,
    holds::{Hold, Settlement},
    members::standing,
    transfer::{MAX_COMMENT, MAX_POINTS},
};
use utoipa::ToSchema;

use crate::{
    members::{self, is_administrator, number},
    responses::{BalanceBody, HoldBody, TransferBody, no_such_transfer, posted, problem, problem_at},
    worker::{config, sql},
};

/// How long points are set aside when nothing else is asked for, and at most: seconds.
const HELD: (i64, i64) = (24 * 3600, 30 * 24 * 3600);

/// See how many points you have
///
/// Without those that have ended.
#[utoipa::path(
    get, path = "/points", tag = "loyalty", operation_id = "getPoints",
    responses(
        (status = 200, description = "The points.", body = BalanceBody),
        (status = 404, description = "The account is so new that it has no points yet."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn balance(State(app): State<App>, caller: Caller) -> Result<Response, Error> {
    let member = members::own(&app, &config(&app)?, &caller).await?;
    told(&app, &member).await
}

/// What a member has, told.
pub(crate) async fn told(app: &App, member: &Member) -> Result<Response, Error> {
    let standing = standing(&sql(app), member, app.clock.now()).await?;
    Ok(respond::json(StatusCode::OK, &BalanceBody::of(member, &standing)))
}

/// See what happened to your points
///
/// The newest first.
#[utoipa::path(
    get, path = "/points/history", tag = "loyalty", operation_id = "listPointsHistory",
    params(PageParams),
    responses((status = 200, description = "A page of it.", body = Items<TransferBody>)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn history(State(app): State<App>, caller: Caller, page: Page) -> Result<Response, Error> {
    let member = members::own(&app, &config(&app)?, &caller).await?;
    listed(&app, &member, &page).await
}

/// A page of a member's history.
pub(crate) async fn listed(app: &App, member: &Member, page: &Page) -> Result<Response, Error> {
    let before = page.before_number()?;
    let found = history::list(&sql(app), member.id, before, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&found, TransferBody::from, |transfer| transfer.id)))
}

/// Points, and what they are for.
#[derive(ToSchema)]
#[schema(as = PointsOperation)]
#[allow(dead_code)]
pub(crate) struct OperationBody {
    #[schema(example = 20, minimum = 1, maximum = 1_000_000_000)]
    points: i64,
    /// What for: 1 to 512 characters.
    #[schema(example = "coffee")]
    comment: String,
}

/// The points in a body: a positive number of them.
pub(crate) fn points(fields: &mut Fields) -> Option<i64> {
    fields.whole_number_within("points", 1..=MAX_POINTS)
}

/// The words in a body that say what something is for.
pub(crate) fn comment(fields: &mut Fields, name: &str) -> Option<String> {
    fields.text(name, |text| {
        let long = text.chars().count();
        if (1..=MAX_COMMENT).contains(&long) && !text.contains('\0') {
            Ok(text)
        } else {
            Err("must have 1 to 512 characters, none of them NUL")
        }
    })
}

/// What a client asks for, and where.
pub(crate) struct Asked<'a> {
    /// The number of the caller's account.
    pub(crate) caller: i64,
    /// Method and path pattern of the route.
    pub(crate) route: &'a str,
    /// The transfer.
    pub(crate) new: NewTransfer<'a>,
    /// For how long, where that is asked for. (When the transfer's points end depends on when it is asked for.)
    pub(crate) seconds: i64,
}

/// Carries a transfer out, once for each key of this caller and route.
pub(crate) async fn carry_out(app: &App, headers: &HeaderMap, asked: Asked<'_>) -> Result<Posted, Error> {
    let Asked { caller, route, new, seconds } = asked;
    let (caller, now) = (caller.to_string(), app.clock.now());
    let key = IdempotencyKey::read(headers)?.map(|key| key.scoped(Scope { caller: &caller, route }));
    let numbers = format!("{}/{}/{seconds}", new.member_id, new.points);
    let fingerprint = Fingerprint::of(&[numbers.as_bytes(), new.comment.as_bytes()]);
    let key = key.as_deref().map(|key| Key { key, fingerprint: fingerprint.as_str() });
    let sql = sql(app);
    let ledger = Ledger::new(&sql, config(app)?.daily_operations);
    ledger.transfer(&new, key, now).await.map_err(|refusal| problem_at(refusal, now).into())
}

/// Spend points
///
/// Those that end first are spent first. A refusal for lack of points is kept with the `Idempotency-Key` for a day.
#[utoipa::path(
    post, path = "/points/redemptions", tag = "loyalty", operation_id = "redeemPoints",
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out.")),
    request_body = OperationBody,
    responses(
        (status = 201, description = "They are spent.", body = TransferBody,
            headers(("Location" = String, description = "Where the transfer is."))),
        (status = 404, description = "The account is so new that it has no points yet."),
        (status = 409, description = "There are too few points: `missing` says how many."),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
        (status = 429, description = "The account did too much with its points today."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn redeem(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut fields: Fields,
) -> Result<Response, Error> {
    let asked = points(&mut fields).zip(comment(&mut fields, "comment"));
    let (points, comment) = fields.finish(asked)?;
    let member = members::own(&app, &config(&app)?, &caller).await?;
    let new = NewTransfer::taken(Kind::Redemption, Account::Redeemed, member.id, points);
    let new = new.by(member.id, &comment);
    let asked = Asked { caller: member.id, route: "POST /points/redemptions", new, seconds: 0 };
    Ok(posted(&carry_out(&app, &headers, asked).await?))
}

/// Points to be set aside.
#[derive(ToSchema)]
#[schema(as = NewPointsHold)]
#[allow(dead_code)]
pub(crate) struct NewHoldBody {
    #[schema(example = 20, minimum = 1, maximum = 1_000_000_000)]
    points: i64,
    /// What for: 1 to 512 characters.
    #[schema(example = "order 7")]
    comment: String,
    /// For how long, at most: a day when it is not given.
    #[schema(minimum = 1, maximum = 2_592_000)]
    valid_seconds: Option<i64>,
}

/// Set points aside
///
/// Until they are captured (spent), released (given back), or the time is over: then they are given back.
#[utoipa::path(
    post, path = "/points/holds", tag = "loyalty", operation_id = "holdPoints",
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out.")),
    request_body = NewHoldBody,
    responses(
        (status = 201, description = "They are set aside.", body = HoldBody,
            headers(("Location" = String, description = "Where the hold is."))),
        (status = 404, description = "The account is so new that it has no points yet."),
        (status = 409, description = "There are too few points: `missing` says how many."),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
        (status = 429, description = "The account did too much with its points today."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn hold(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    mut fields: Fields,
) -> Result<Response, Error> {
    let asked = points(&mut fields).zip(comment(&mut fields, "comment"));
    let asked = asked.zip(fields.maybe_whole_number_within("valid_seconds", 1..=HELD.1));
    let ((points, comment), seconds) = fields.finish(asked)?;
    let member = members::own(&app, &config(&app)?, &caller).await?;
    let seconds = seconds.unwrap_or(HELD.0);
    let ends_at: UnixMillis =
        app.clock.now() + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let new = NewTransfer::taken(Kind::Hold, Account::Held, member.id, points).by(member.id, &comment);
    let new = NewTransfer { ends_at: ends_at.0, ..new };
    let asked = Asked { caller: member.id, route: "POST /points/holds", new, seconds };
    let Posted { transfer, repeated } = carry_out(&app, &headers, asked).await?;
    let hold = see(&app, transfer.id).await?;
    Ok(respond::created(&HoldBody::from(&hold), &format!("/points/holds/{}", hold.id), repeated))
}

async fn see(app: &App, id: i64) -> Result<Hold, Error> {
    let sql = sql(app);
    Ok(Ledger::new(&sql, i64::MAX).hold_by_id(id).await.map_err(problem)?)
}

/// The hold with this number, if it is the caller's, or the caller is an administrator.
async fn visible(app: &App, caller: &Caller, id: &str) -> Result<Hold, Error> {
    let hold = see(app, path::id(id).ok_or_else(no_such_transfer)?).await?;
    if hold.member_id == number(caller)? || is_administrator(caller) {
        Ok(hold)
    } else {
        Err(no_such_transfer().into())
    }
}

/// See points that were set aside
#[utoipa::path(
    get, path = "/points/holds/{id}", tag = "loyalty", operation_id = "getPointsHold",
    params(("id" = i64, Path, description = "The hold's number.", minimum = 1)),
    responses(
        (status = 200, description = "The hold.", body = HoldBody),
        (status = 404, description = "There is no such hold, or it is somebody else's."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn see_hold(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let hold = visible(&app, &caller, &id).await?;
    Ok(respond::json(StatusCode::OK, &HoldBody::from(&hold)))
}

/// Spend points that were set aside
///
/// To do it again changes nothing.
#[utoipa::path(
    post, path = "/points/holds/{id}/capture", tag = "loyalty", operation_id = "capturePoints",
    params(("id" = i64, Path, description = "The hold's number.", minimum = 1)),
    responses(
        (status = 200, description = "They are spent.", body = TransferBody),
        (status = 404, description = "There is no such hold, or it is somebody else's."),
        (status = 409, description = "They were released before."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn capture(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    settle(&app, &caller, &id, Settlement::Capture).await
}

/// Give back points that were set aside
///
/// To do it again changes nothing.
#[utoipa::path(
    post, path = "/points/holds/{id}/release", tag = "loyalty", operation_id = "releasePoints",
    params(("id" = i64, Path, description = "The hold's number.", minimum = 1)),
    responses(
        (status = 200, description = "They are given back.", body = TransferBody),
        (status = 404, description = "There is no such hold, or it is somebody else's."),
        (status = 409, description = "They were captured before."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    settle(&app, &caller, &id, Settlement::Release).await
}

async fn settle(app: &App, caller: &Caller, id: &str, settlement: Settlement) -> Result<Response, Error> {
    let hold = visible(app, caller, id).await?;
    let sql = sql(app);
    let ledger = Ledger::new(&sql, i64::MAX);
    let settled = ledger.settle(&hold, settlement, number(caller)?, "", app.clock.now()).await;
    Ok(respond::json(StatusCode::OK, &TransferBody::from(&settled.map_err(problem)?.transfer)))
}
