//! What administrators, and services such as transport companies', may do.

use axum::extract::{Path, State};
use http::StatusCode;
use octo_core::{Problem, UnixMillis};
use octo_delivery::{
    Config, MoscowDay, Parcels, Quoted, Rate,
    pricing::RetryFailed,
    rate_book, sums,
    types::{self, MAX_NAME},
};
use octo_http::{
    App, Error, Items, Page, Response, audit,
    extract::{Admin, Json, Service},
    page::PageParams,
    query::Query,
    respond,
};
use octo_jobs::{Jobs, NewJob, Written};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    own::number,
    pricing::{self, sql},
    reading,
    responses::{
        self, CarrierBody, RateStatusBody, ReceiptBody, SumBody, TypeBody, no_such_parcel, problem,
        type_problem,
    },
};

/// Prices that are tried again are asked for once a minute at most.
const RETRY_EVERY_MS: i64 = 60_000;

/// The days after their end within which a sum is not made again: clocks of instances may disagree.
const SETTLED_MS: i64 = 3_600_000;

/// The company that wants to carry a parcel.
#[derive(Deserialize, ToSchema)]
#[schema(as = CarrierBinding)]
pub(crate) struct Binding {
    /// Its number.
    #[schema(example = 7, minimum = 1)]
    company_id: i64,
}

/// Have a company carry a parcel
///
/// The first company that asks has it, for ever; for that one, asking again changes nothing.
#[utoipa::path(
    post, path = "/parcels/{id}/carrier", tag = "delivery", operation_id = "bindCarrier",
    params(("id" = i64, Path, description = "The parcel's number.", minimum = 1)),
    request_body = Binding,
    responses(
        (status = 200, description = "It carries it.", body = CarrierBody),
        (status = 404, description = "There is no such parcel."),
        (status = 409, description = "Another company carries it, which `company_id` names, or it was canceled."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn bind_carrier(
    State(app): State<App>,
    _: Service,
    Path(id): Path<String>,
    Json(Binding { company_id }): Json<Binding>,
) -> Result<Response, Error> {
    let id = number(&id)?;
    if company_id < 1 {
        return Err(Problem::invalid("/company_id", "must be 1 or more").into());
    }
    let sql = sql(&app);
    let parcel = Parcels::new(&sql).bind_carrier(id, company_id, app.clock.now()).await.map_err(problem)?;
    let carrier = responses::carrier(&parcel).ok_or_else(no_such_parcel)?;
    Ok(respond::json(StatusCode::OK, &carrier))
}

/// The name of a type.
#[derive(Deserialize, ToSchema)]
#[schema(as = ParcelTypeName)]
pub(crate) struct TypeName {
    /// 1 to 32 characters.
    #[schema(example = "Книги", min_length = 1, max_length = 32)]
    name: String,
}

impl TypeName {
    fn checked(self) -> Result<String, Problem> {
        let name = self.name.trim().to_owned();
        if (1..=MAX_NAME).contains(&name.chars().count()) && !name.contains('\0') {
            Ok(name)
        } else {
            Err(Problem::invalid("/name", "must have 1 to 32 characters, none of them NUL"))
        }
    }
}

/// Add a type of parcels
#[utoipa::path(
    post, path = "/parcels/types", tag = "delivery", operation_id = "addParcelType",
    request_body = TypeName,
    responses(
        (status = 201, description = "The type.", body = TypeBody),
        (status = 409, description = "Another type has this name."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn add_type(
    State(app): State<App>,
    Admin(actor): Admin,
    Json(body): Json<TypeName>,
) -> Result<Response, Error> {
    let name = body.checked()?;
    audit::note(&app, actor, "add-parcel-type", &[("name", json!(name))]).await?;
    let added = types::add(&sql(&app), &name).await.map_err(type_problem)?;
    Ok(respond::json(StatusCode::CREATED, &TypeBody::from(&added)))
}

/// Rename a type of parcels
#[utoipa::path(
    patch, path = "/parcels/types/{id}", tag = "delivery", operation_id = "renameParcelType",
    params(("id" = i64, Path, description = "The type's number.", minimum = 1)),
    request_body = TypeName,
    responses(
        (status = 200, description = "The type.", body = TypeBody),
        (status = 404, description = "There is no such type."),
        (status = 409, description = "Another type has this name."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn rename_type(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    Json(body): Json<TypeName>,
) -> Result<Response, Error> {
    let id = octo_http::path::id(&id).ok_or_else(|| type_problem(types::Refusal::NoSuchType))?;
    let name = body.checked()?;
    audit::note(&app, actor, "rename-parcel-type", &[("type", json!(id)), ("name", json!(name))]).await?;
    let renamed = types::rename(&sql(&app), id, &name).await.map_err(type_problem)?;
    Ok(respond::json(StatusCode::OK, &TypeBody::from(&renamed)))
}

/// A rate that an administrator sets.
#[derive(Deserialize, ToSchema)]
#[schema(as = ManualRate)]
pub(crate) struct ManualRate {
    /// How many roubles `nominal` dollars cost: a positive decimal of at most twelve digits, as text.
    #[schema(value_type = String, example = "84.004")]
    value: Quoted,
    /// For how many dollars; 1 when it is not given.
    #[schema(example = 1, minimum = 1, maximum = 1_000_000)]
    nominal: Option<i64>,
}

/// Set the rate by hand
///
/// For when the source is away. It counts as the rate of today, until the source sends one for today or later.
#[utoipa::path(
    put, path = "/parcels/rate", tag = "delivery", operation_id = "setRate",
    request_body = ManualRate,
    responses(
        (status = 200, description = "The rate, and how its source does.", body = RateStatusBody),
        (status = 422, description = "A field breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn set_rate(
    State(app): State<App>,
    Admin(actor): Admin,
    Json(ManualRate { value, nominal }): Json<ManualRate>,
) -> Result<Response, Error> {
    let nominal = nominal.unwrap_or(1);
    if !(1..=1_000_000).contains(&nominal) {
        return Err(Problem::invalid("/nominal", "must be from 1 to 1000000").into());
    }
    audit::note(&app, actor, "set-rate", &[("value", json!(value)), ("nominal", json!(nominal))]).await?;
    let (now, sql, config) = (app.clock.now(), sql(&app), Config::read(&app.settings)?);
    let today = MoscowDay::containing(now);
    let rate = Rate { value, nominal, day: today, source: format!("administrator {actor}") };
    rate_book::keep(&sql, &rate, now).await?;
    pricing::carry_out_later(&app, &config);
    let status = rate_book::status(&sql).await?;
    Ok(respond::json(StatusCode::OK, &RateStatusBody::of(&status, today, config.rate_max_days)))
}

/// That a background job was begun.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelRetry)]
pub(crate) struct Begun {
    /// The name of the job.
    job: &'static str,
    /// Parcels that have no price, so far as is known.
    failed: i64,
}

/// Have missing prices found out again
///
/// In the background: every parcel whose price could not be found out is tried again.
#[utoipa::path(
    post, path = "/parcels/prices", tag = "delivery", operation_id = "retryParcelPrices",
    responses((status = 202, description = "It will be done.", body = Begun)),
    security(("access_token" = []))
)]
pub(crate) async fn retry_failed(State(app): State<App>, Admin(actor): Admin) -> Result<Response, Error> {
    audit::note(&app, actor, "retry-parcel-prices", &[]).await?;
    let (now, sql) = (app.clock.now(), sql(&app));
    let job = Written::of(&RetryFailed {}).map_err(|error| Problem::internal().because(error))?;
    let key = format!("delivery/retry/{}", now.0 / RETRY_EVERY_MS);
    Jobs::new(&sql).enqueue(&NewJob { unique_key: Some(&key), ..job.due(now) }, now).await?;
    pricing::carry_out_later(&app, &Config::read(&app.settings)?);
    let failed = Parcels::new(&sql).backlog().await?.failed;
    Ok(respond::json(StatusCode::ACCEPTED, &Begun { job: "retry-failed-parcels", failed }))
}

/// See what prices come to, by type and day
///
/// Days are days in Moscow. What was priced and then canceled counts: the price was found out.
#[utoipa::path(
    get, path = "/parcels/sums", tag = "delivery", operation_id = "getParcelSums",
    params(
        ("from" = Option<String>, Query, description = "The first day, such as 2026-11-26; today when it is not given."),
        ("to" = Option<String>, Query, description = "The last day, at most 366 days later; `from` when it is not given."),
    ),
    responses(
        (status = 200, description = "The sums.", body = Items<SumBody>),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn sums(State(app): State<App>, _: Service, query: Query) -> Result<Response, Error> {
    let from = reading::day(&query, "from")?.unwrap_or_else(|| MoscowDay::containing(app.clock.now()));
    let to = reading::day(&query, "to")?.unwrap_or(from);
    if !(0..sums::MAX_DAYS).contains(&to.since(from)) {
        return Err(Problem::invalid("/to", "must be at most 365 days after `from`").into());
    }
    let found = sums::of_days(&sql(&app), from, to).await?;
    Ok(respond::json(StatusCode::OK, &Items { items: found.iter().map(SumBody::from).collect(), next: None }))
}

/// The sums of a day, as they are kept and as the log has them.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelSumsRebuilt)]
pub(crate) struct Rebuilt {
    /// As they were kept.
    before: Vec<SumBody>,
    /// As the log of prices has them, and as they are kept now.
    after: Vec<SumBody>,
    /// How many were wrong: 0, unless somebody changed the database by hand.
    changed: usize,
}

/// Make the sums of a day again from the log of prices
///
/// A check that they are right. Only for days that ended an hour ago or earlier.
#[utoipa::path(
    post, path = "/parcels/sums/{day}/rebuild", tag = "delivery", operation_id = "rebuildParcelSums",
    params(("day" = String, Path, description = "Such as 2026-11-26.")),
    responses(
        (status = 200, description = "What was found.", body = Rebuilt),
        (status = 422, description = "It is no day that is over."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn rebuild_sums(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(day): Path<String>,
) -> Result<Response, Error> {
    let settled = MoscowDay::containing(UnixMillis(app.clock.now().0 - SETTLED_MS));
    let day = MoscowDay::parse(&day).filter(|day| *day < settled);
    let day =
        day.ok_or_else(|| Problem::invalid("/day", "must be a day that is over, such as 2026-11-26"))?;
    audit::note(&app, actor, "rebuild-parcel-sums", &[("day", json!(day.to_string()))]).await?;
    let sql = sql(&app);
    let before = sums::of_days(&sql, day, day).await?;
    let changed = sums::rebuild(&sql, day).await?;
    let after = sums::from_log(&sql, day).await?;
    let bodies = |sums: Vec<sums::Sum>| sums.iter().map(SumBody::from).collect();
    Ok(respond::json(StatusCode::OK, &Rebuilt { before: bodies(before), after: bodies(after), changed }))
}

/// See the log of prices
///
/// Of one day, in the order in which they were found out.
#[utoipa::path(
    get, path = "/parcels/prices", tag = "delivery", operation_id = "listParcelPrices",
    params(PageParams, ("day" = Option<String>, Query, description = "Such as 2026-11-26; today when it is not given.")),
    responses(
        (status = 200, description = "A page of them.", body = Items<ReceiptBody>),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn prices(
    State(app): State<App>,
    _: Service,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let day = reading::day(&query, "day")?.unwrap_or_else(|| MoscowDay::containing(app.clock.now()));
    let found = Parcels::new(&sql(&app)).log(day, page.after_number()?, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&found, ReceiptBody::from, |receipt| receipt.id)))
}
