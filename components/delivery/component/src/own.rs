//! Our own routes for those who send parcels.

use std::time::Duration;

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use octo_core::{Problem, settings};
use octo_delivery::{
    Config, Filter, MoscowDay, NewParcel, Owner, Parcel, Parcels, Pricing, Registered, State as ParcelState,
    parcels::Key, price::price, quota, rate_book, types,
};
use octo_http::{
    App, Error, Items, Page, Response,
    body::Fields,
    idempotency::{Fingerprint, IdempotencyKey, Scope},
    page::PageParams,
    path, prefer,
    query::Query,
    respond, source,
};
use utoipa::ToSchema;
use uuid::{Builder, Uuid};

use crate::{
    guards::Visitor,
    pricing::{self, Bank, sql},
    reading,
    responses::{
        self, EntryBody, ParcelBody, QuoteBody, RateStatusBody, ReceiptBody, TypeBody, no_such_parcel,
        problem,
    },
};

/// Pause between two looks at a parcel whose price somebody waits for.
const LOOK: Duration = Duration::from_millis(100);

/// A parcel that somebody wants to send.
#[derive(ToSchema)]
#[schema(as = NewParcel)]
#[allow(dead_code)]
pub(crate) struct NewParcelBody {
    /// 1 to 512 characters.
    #[schema(example = "Phone")]
    name: String,
    /// In kilograms: a decimal with at most 8 digits before the point and 2 after it, as text or as a number.
    #[schema(example = "1.50")]
    weight: String,
    /// What the contents are worth, in US dollars; a decimal as above.
    #[schema(example = "10.99")]
    value: String,
    /// The number of a type.
    #[schema(example = 2)]
    r#type: i64,
}

/// What a price depends on.
#[derive(ToSchema)]
#[schema(as = ParcelMeasures)]
#[allow(dead_code)]
pub(crate) struct MeasuresBody {
    /// In kilograms: a decimal with at most 8 digits before the point and 2 after it, as text or as a number.
    #[schema(example = "1.50")]
    weight: String,
    /// What the contents are worth, in US dollars; a decimal as above.
    #[schema(example = "10.99")]
    value: String,
}

/// Register a parcel
///
/// Its price is found out in the background, within seconds as a rule; with `Prefer: wait=N` the response waits for it.
#[utoipa::path(
    post, path = "/parcels", tag = "delivery", operation_id = "registerParcel",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the price, 25 at most."),
    ),
    request_body = NewParcelBody,
    responses(
        (status = 201, description = "The parcel.", body = ParcelBody,
            headers(("Location" = String, description = "Where the parcel is."))),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
        (status = 429, description = "The client registered too many parcels today."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn register(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let new = reading::parcel(fields)?;
    let config = Config::read(&app.settings)?;
    let Registered { parcel, repeated } = keep(&app, &visitor, &headers, "POST /parcels", &new).await?;
    let wait = prefer::wait(&headers);
    let parcel = match wait {
        Some(wait) => priced_within(&app, &config, parcel, wait).await?,
        None => {
            pricing::carry_out_later(&app, &config);
            parcel
        }
    };
    let mut response = responses::created(&parcel, repeated);
    if let Some(applied) = wait.and_then(prefer::applied) {
        response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// Registers a parcel for the visitor, once for each key.
pub(crate) async fn keep(
    app: &App,
    visitor: &Visitor,
    headers: &HeaderMap,
    route: &str,
    new: &NewParcel,
) -> Result<Registered, Error> {
    take_quota(app, visitor, headers).await?;
    let caller = visitor.owner.key();
    let key = IdempotencyKey::read(headers)?.map(|key| key.scoped(Scope { caller: &caller, route }));
    let fingerprint = fingerprint(new);
    let key = key.as_deref().map(|key| Key { key, fingerprint: &fingerprint });
    let sql = sql(app);
    let kept =
        Parcels::new(&sql).register(&visitor.owner, new, &status_uuid(app), key, app.clock.now()).await;
    Ok(kept.map_err(problem)?)
}

/// Counts a parcel of the client, which is an account, or an address where there is none: a session is free to make.
pub(crate) async fn take_quota(app: &App, visitor: &Visitor, headers: &HeaderMap) -> Result<(), Error> {
    let Some(most) = Config::read(&app.settings)?.daily_per_client else { return Ok(()) };
    let client = match &visitor.owner {
        Owner::Account(_) => visitor.owner.key(),
        Owner::Session(_) => {
            let proxies = settings::number(&app.settings, "trusted_proxies", 0..=16)?;
            format!("address/{}", source::of(headers, proxies))
        }
    };
    let now = app.clock.now();
    let today = MoscowDay::containing(now);
    if quota::take(&sql(app), &client, today, most).await? {
        return Ok(());
    }
    Err(responses::too_many_parcels(today.next().start().since(now).as_secs() + 1).into())
}

/// What makes two requests the same request.
pub(crate) fn fingerprint(new: &NewParcel) -> String {
    let numbers = format!("{}/{}/{}", new.weight, new.value, new.type_id);
    Fingerprint::of(&[new.name.as_bytes(), numbers.as_bytes()]).as_str().to_owned()
}

pub(crate) fn status_uuid(app: &App) -> String {
    uuid(app).to_string()
}

/// A new UUID of version 4: nobody guesses it.
pub(crate) fn uuid(app: &App) -> Uuid {
    use octo_core::Entropy;
    Builder::from_random_bytes(app.entropy.bytes::<16>()).into_uuid()
}

/// The parcel once it is priced, or as it is after `wait`.
async fn priced_within(
    app: &App,
    config: &Config,
    mut parcel: Parcel,
    wait: Duration,
) -> Result<Parcel, Error> {
    let deadline = app.clock.now() + wait;
    let sql = sql(app);
    // Its turn may come after others', or be another instance's.
    while parcel.state == ParcelState::Pending && app.clock.now() < deadline {
        let done = pricing::carry_out(app, config).await?;
        parcel = Parcels::new(&sql).by_id(parcel.id).await?.ok_or_else(no_such_parcel)?;
        if parcel.state == ParcelState::Pending && done.performed == 0 {
            app.clock.sleep(LOOK).await;
        }
    }
    Ok(parcel)
}

/// Ask what a parcel would cost
///
/// Nothing is registered.
#[utoipa::path(
    post, path = "/parcels/quote", tag = "delivery", operation_id = "quoteParcel",
    request_body = MeasuresBody,
    responses(
        (status = 200, description = "The price, and what it is reckoned with.", body = QuoteBody),
        (status = 422, description = "A field breaks a rule."),
        (status = 503, description = "There is no rate to price with."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn quote(State(app): State<App>, _: Visitor, fields: Fields) -> Result<Response, Error> {
    let (weight, value) = reading::measures(fields)?;
    let config = Config::read(&app.settings)?;
    let sql = sql(&app);
    let pricing = Pricing {
        sql: &sql,
        source: &Bank { app: &app, config: &config },
        clock: &app.clock,
        config: &config,
    };
    let rate = pricing.rates().current().await.map_err(responses::no_rate)?;
    let none = || rate_book::NoRate::None(format!("the rate {} makes no price", rate.value));
    let cost = price(weight, value, &rate).ok_or_else(none).map_err(responses::no_rate)?;
    Ok(respond::json(StatusCode::OK, &QuoteBody::of(cost, &rate)))
}

/// See the parcels
///
/// One's own, the newest first; administrators see everybody's.
#[utoipa::path(
    get, path = "/parcels", tag = "delivery", operation_id = "listParcels",
    params(
        PageParams,
        ("type" = Option<i64>, Query, description = "Only those of this type."),
        ("priced" = Option<bool>, Query, description = "Only those that have a price, or that have none."),
        ("state" = Option<String>, Query, description = "`pending`, `priced`, `failed` or `canceled`."),
        ("from" = Option<String>, Query, description = "Only those registered on this day (in Moscow) or later."),
        ("to" = Option<String>, Query, description = "Only those registered on this day (in Moscow) or earlier."),
        ("carrier" = Option<i64>, Query, description = "Only those that this company carries."),
        ("cost" = Option<String>, Query, description = "`text`: the price as text, too."),
    ),
    responses(
        (status = 200, description = "A page of them.", body = Items<ParcelBody>),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn list(
    State(app): State<App>,
    visitor: Visitor,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let state = match query.get("state") {
        Some(name) => Some(ParcelState::named(name).ok_or_else(|| {
            Problem::invalid("/state", "must be `pending`, `priced`, `failed` or `canceled`")
        })?),
        None => None,
    };
    let filter = Filter {
        owner: visitor.sees().map(|owner| owner.key()),
        type_id: query.number("type")?,
        priced: reading::truth(&query, "priced")?,
        state,
        from: reading::day(&query, "from")?,
        to: reading::day(&query, "to")?,
        carrier: query.number("carrier")?,
    };
    let before = Some(page.before_number()?);
    let found = Parcels::new(&sql(&app)).list(&filter, before, page.limit).await?;
    let with_text = with_text(&query)?;
    let items = page.items(&found, |parcel| ParcelBody::of(parcel, with_text), |parcel| parcel.id);
    Ok(respond::json(StatusCode::OK, &items))
}

fn with_text(query: &Query) -> Result<bool, Problem> {
    match query.get("cost") {
        None => Ok(false),
        Some("text") => Ok(true),
        Some(_) => Err(Problem::invalid("/cost", "must be `text`")),
    }
}

/// See the types of parcels
#[utoipa::path(
    get, path = "/parcels/types", tag = "delivery", operation_id = "listParcelTypes",
    responses((status = 200, description = "All of them.", body = Items<TypeBody>))
)]
pub(crate) async fn types(State(app): State<App>) -> Result<Response, Error> {
    let all = types::all(&sql(&app)).await?;
    Ok(respond::json(StatusCode::OK, &Items { items: all.iter().map(TypeBody::from).collect(), next: None }))
}

/// See the rate
///
/// That parcels are priced with, its date and its source.
#[utoipa::path(
    get, path = "/parcels/rate", tag = "delivery", operation_id = "getRate",
    responses((status = 200, description = "The rate, and how its source does.", body = RateStatusBody)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn rate(State(app): State<App>, visitor: Visitor) -> Result<Response, Error> {
    let config = Config::read(&app.settings)?;
    let status = rate_book::status(&sql(&app)).await?;
    let today = MoscowDay::containing(app.clock.now());
    let mut body = RateStatusBody::of(&status, today, config.rate_max_days);
    if !visitor.is_administrator {
        body.conceal_error();
    }
    Ok(respond::json(StatusCode::OK, &body))
}

/// See a parcel
#[utoipa::path(
    get, path = "/parcels/{id}", tag = "delivery", operation_id = "getParcel",
    params(
        ("id" = i64, Path, description = "The parcel's number.", minimum = 1),
        ("cost" = Option<String>, Query, description = "`text`: the price as text, too."),
    ),
    responses(
        (status = 200, description = "The parcel.", body = ParcelBody),
        (status = 404, description = "There is no such parcel, or it is somebody else's."),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn parcel(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    query: Query,
) -> Result<Response, Error> {
    let parcel = Parcels::new(&sql(&app)).of(visitor.sees(), number(&id)?).await.map_err(problem)?;
    Ok(respond::json(StatusCode::OK, &ParcelBody::of(&parcel, with_text(&query)?)))
}

/// See what happened to a parcel
///
/// Oldest first.
#[utoipa::path(
    get, path = "/parcels/{id}/history", tag = "delivery", operation_id = "getParcelHistory",
    params(("id" = i64, Path, description = "The parcel's number.", minimum = 1), PageParams),
    responses(
        (status = 200, description = "A page of its history.", body = Items<EntryBody>),
        (status = 404, description = "There is no such parcel, or it is somebody else's."),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn history(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    page: Page,
) -> Result<Response, Error> {
    let sql = sql(&app);
    let parcels = Parcels::new(&sql);
    let parcel = parcels.of(visitor.sees(), number(&id)?).await.map_err(problem)?;
    let lines = parcels.history(parcel.id, page.after_number()?, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&lines, EntryBody::from, |line| line.id)))
}

/// See how a parcel got its price
#[utoipa::path(
    get, path = "/parcels/{id}/receipt", tag = "delivery", operation_id = "getParcelReceipt",
    params(("id" = i64, Path, description = "The parcel's number.", minimum = 1)),
    responses(
        (status = 200, description = "What it was priced with.", body = ReceiptBody),
        (status = 404, description = "There is no such parcel, it is somebody else's, or it has no price."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn receipt(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let sql = sql(&app);
    let parcels = Parcels::new(&sql);
    let parcel = parcels.of(visitor.sees(), number(&id)?).await.map_err(problem)?;
    let receipt = parcels.receipt(parcel.id).await?.ok_or_else(|| {
        let detail = "Its price has not been found out.";
        Problem::new(StatusCode::NOT_FOUND, "no-such-receipt", "The parcel has no price", detail)
    })?;
    Ok(respond::json(StatusCode::OK, &ReceiptBody::from(&receipt)))
}

/// Cancel a parcel
///
/// As long as no company carries it. To cancel it twice changes nothing.
#[utoipa::path(
    post, path = "/parcels/{id}/cancel", tag = "delivery", operation_id = "cancelParcel",
    params(("id" = i64, Path, description = "The parcel's number.", minimum = 1)),
    responses(
        (status = 200, description = "The parcel.", body = ParcelBody),
        (status = 404, description = "There is no such parcel, or it is somebody else's."),
        (status = 409, description = "A company carries it."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let sql = sql(&app);
    let canceled = Parcels::new(&sql).cancel(visitor.sees(), number(&id)?, app.clock.now()).await;
    Ok(respond::json(StatusCode::OK, &ParcelBody::of(&canceled.map_err(problem)?, false)))
}

/// The number of a parcel, as its path has it.
pub(crate) fn number(text: &str) -> Result<i64, Problem> {
    path::id(text).ok_or_else(no_such_parcel)
}
