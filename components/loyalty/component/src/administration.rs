//! What administrators may do.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use octo_core::Problem;
use octo_http::{
    App, Caller, Error, Items, Page, Response, audit,
    body::Fields,
    extract::{Admin, Service},
    page::PageParams,
    path,
    query::Query,
    respond,
};
use octo_loyalty::{
    Account, Kind, Ledger, Member, NewTransfer, Transfer, check, members as all, schema::NEVER,
    transfer::MAX_POINTS,
};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    members::{self, is_administrator, number},
    own::{Asked, OperationBody, carry_out, comment, listed, points, told},
    responses::{
        BalanceBody, CheckBody, MemberBody, TransferBody, no_such_member, no_such_transfer, posted, problem,
    },
    worker::{config, sql},
};

/// See the points accounts
///
/// The newest first; with `uuid` the one that is called so.
#[utoipa::path(
    get, path = "/points/accounts", tag = "loyalty", operation_id = "listPointsAccounts",
    params(PageParams, ("uuid" = Option<String>, Query, description = "Only the account with this UUID.")),
    responses(
        (status = 200, description = "A page of them.", body = Items<MemberBody>),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn accounts(
    State(app): State<App>,
    _: Admin,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let found = match query.get("uuid") {
        Some(text) => {
            let uuid = Uuid::try_parse(text).map_err(|_| Problem::invalid("/uuid", "must be a UUID"))?;
            members::by_uuid(&app, &config(&app)?, uuid).await?.into_iter().collect()
        }
        None => {
            let before = page.before_number()?;
            all::list(&sql(&app), before, page.limit).await?
        }
    };
    Ok(respond::json(StatusCode::OK, &page.items(&found, MemberBody::from, |member| member.id)))
}

async fn member(app: &App, uuid: &str) -> Result<Member, Error> {
    let uuid = Uuid::try_parse(uuid).map_err(|_| no_such_member())?;
    Ok(members::by_uuid(app, &config(app)?, uuid).await?.ok_or_else(no_such_member)?)
}

/// See how many points an account has
#[utoipa::path(
    get, path = "/points/accounts/{uuid}", tag = "loyalty", operation_id = "getPointsAccount",
    params(("uuid" = String, Path, description = "The account's UUID.")),
    responses(
        (status = 200, description = "The points.", body = BalanceBody),
        (status = 404, description = "There is no such account."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn account(
    State(app): State<App>,
    _: Admin,
    Path(uuid): Path<String>,
) -> Result<Response, Error> {
    told(&app, &member(&app, &uuid).await?).await
}

/// See what happened to an account's points
///
/// The newest first.
#[utoipa::path(
    get, path = "/points/accounts/{uuid}/history", tag = "loyalty", operation_id = "listPointsAccountHistory",
    params(("uuid" = String, Path, description = "The account's UUID."), PageParams),
    responses(
        (status = 200, description = "A page of it.", body = Items<TransferBody>),
        (status = 404, description = "There is no such account."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn account_history(
    State(app): State<App>,
    _: Admin,
    Path(uuid): Path<String>,
    page: Page,
) -> Result<Response, Error> {
    listed(&app, &member(&app, &uuid).await?, &page).await
}

/// Give an account points
///
/// They end as the variables say.
#[utoipa::path(
    post, path = "/points/accounts/{uuid}/awards", tag = "loyalty", operation_id = "awardPoints",
    params(
        ("uuid" = String, Path, description = "The account's UUID."),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
    ),
    request_body = OperationBody,
    responses(
        (status = 201, description = "They are given.", body = TransferBody,
            headers(("Location" = String, description = "Where the transfer is."))),
        (status = 404, description = "There is no such account."),
        (status = 409, description = "The account would have too many points."),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn award(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(uuid): Path<String>,
    headers: HeaderMap,
    mut fields: Fields,
) -> Result<Response, Error> {
    let asked = points(&mut fields).zip(comment(&mut fields, "comment"));
    let (points, comment) = fields.finish(asked)?;
    let member = member(&app, &uuid).await?;
    note(&app, actor, "award-points", &member, points).await?;
    let ends_at = config(&app)?.end_of_points(app.clock.now());
    let new =
        NewTransfer::given(Kind::Award, Account::Issued, member.id, points, ends_at).by(actor, &comment);
    let asked = Asked { caller: actor, route: "POST /points/accounts/awards", new, seconds: 0 };
    Ok(posted(&carry_out(&app, &headers, asked).await?))
}

/// A difference to an account's points, and why.
#[derive(ToSchema)]
#[schema(as = PointsAdjustment)]
#[allow(dead_code)]
pub(crate) struct AdjustmentBody {
    /// How many points more, or with a minus fewer; not 0.
    #[schema(example = -5, minimum = -1_000_000_000, maximum = 1_000_000_000)]
    points: i64,
    /// Why: 1 to 512 characters.
    #[schema(example = "counted twice")]
    reason: String,
}

/// Correct an account's points
///
/// By a difference, never to a value: what happens at the same time is not lost.
#[utoipa::path(
    post, path = "/points/accounts/{uuid}/adjustments", tag = "loyalty", operation_id = "adjustPoints",
    params(
        ("uuid" = String, Path, description = "The account's UUID."),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
    ),
    request_body = AdjustmentBody,
    responses(
        (status = 201, description = "It is done.", body = TransferBody,
            headers(("Location" = String, description = "Where the transfer is."))),
        (status = 404, description = "There is no such account."),
        (status = 409, description = "There are too few points, or there would be too many."),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn adjust(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(uuid): Path<String>,
    headers: HeaderMap,
    mut fields: Fields,
) -> Result<Response, Error> {
    let asked = fields.whole_number_within("points", -MAX_POINTS..=MAX_POINTS);
    let asked = asked.zip(comment(&mut fields, "reason"));
    let (points, reason) = fields.finish(asked)?;
    if points == 0 {
        return Err(Problem::invalid("/points", "must not be 0").into());
    }
    let member = member(&app, &uuid).await?;
    note(&app, actor, "adjust-points", &member, points).await?;
    let new = if points > 0 {
        NewTransfer::given(Kind::Adjustment, Account::Adjusted, member.id, points, NEVER)
    } else {
        NewTransfer::taken(Kind::Adjustment, Account::Adjusted, member.id, -points)
    };
    let new = new.by(actor, &reason);
    let asked = Asked { caller: actor, route: "POST /points/accounts/adjustments", new, seconds: 0 };
    Ok(posted(&carry_out(&app, &headers, asked).await?))
}

async fn note(app: &App, actor: i64, act: &str, member: &Member, points: i64) -> Result<(), Problem> {
    audit::note(app, actor, act, &[("account", json!(member.id)), ("points", json!(points))]).await
}

async fn found(app: &App, id: &str) -> Result<Transfer, Error> {
    let sql = sql(app);
    let id = path::id(id).ok_or_else(no_such_transfer)?;
    Ok(Ledger::new(&sql, i64::MAX).by_id(id).await.map_err(problem)?)
}

/// See a transfer
#[utoipa::path(
    get, path = "/points/transfers/{id}", tag = "loyalty", operation_id = "getPointsTransfer",
    params(("id" = i64, Path, description = "The transfer's number.", minimum = 1)),
    responses(
        (status = 200, description = "The transfer.", body = TransferBody),
        (status = 404, description = "There is no such transfer, or it is about somebody else's points."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn transfer(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let transfer = found(&app, &id).await?;
    if transfer.member_id != number(&caller)? && !is_administrator(&caller) {
        return Err(no_such_transfer().into());
    }
    Ok(respond::json(StatusCode::OK, &TransferBody::from(&transfer)))
}

/// Why a transfer is taken back.
#[derive(ToSchema)]
#[schema(as = PointsReversal)]
#[allow(dead_code)]
pub(crate) struct ReversalBody {
    /// 1 to 512 characters.
    #[schema(example = "a purchase was returned")]
    reason: String,
}

/// Take a transfer back
///
/// Once: to do it again changes nothing. Points that were spent go back to where they came from, and end at once where
/// they would have ended meanwhile. Points that were given are taken away if they have not been spent.
#[utoipa::path(
    post, path = "/points/transfers/{id}/reversal", tag = "loyalty", operation_id = "reversePoints",
    params(("id" = i64, Path, description = "The transfer's number.", minimum = 1)),
    request_body = ReversalBody,
    responses(
        (status = 201, description = "It is taken back.", body = TransferBody,
            headers(("Location" = String, description = "Where the reversal is."))),
        (status = 404, description = "There is no such transfer, or the account was deleted."),
        (status = 409, description = "Its points have been spent (`missing` says how many), or a transfer of its kind cannot be taken back."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn reverse(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Error> {
    let reason = comment(&mut fields, "reason");
    let reason = fields.finish(reason)?;
    let transfer = found(&app, &id).await?;
    let subject = [("account", json!(transfer.member_id)), ("transfer", json!(transfer.id))];
    audit::note(&app, actor, "reverse-points", &subject).await?;
    let sql = sql(&app);
    let ledger = Ledger::new(&sql, i64::MAX);
    let reversed = ledger.reverse(&transfer, actor, &reason, app.clock.now()).await.map_err(problem)?;
    Ok(posted(&reversed))
}

/// Check that the ledger balances
///
/// Everything is counted anew and compared with what is kept, so it takes a while when there are millions of transfers.
#[utoipa::path(
    get, path = "/points/check", tag = "loyalty", operation_id = "checkPoints",
    responses((status = 200, description = "What was found.", body = CheckBody)),
    security(("access_token" = []))
)]
pub(crate) async fn check(State(app): State<App>, _: Service) -> Result<Response, Error> {
    let findings = check::ledger(&sql(&app)).await?;
    Ok(respond::json(StatusCode::OK, &CheckBody::from(&findings)))
}
