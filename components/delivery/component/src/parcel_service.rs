//! The routes of the original delivery service, for its clients: anonymous sessions in a cookie, parcels as packages, and
//! FastAPI's bodies.
//!
//! Different on purpose: a status stays pending until it is final, links keep the filters, a session without parcels has
//! an empty list, and a parcel is in the list while it waits for its price. Who is logged in has the account's parcels.

use axum::extract::{FromRequestParts, Path, State};
use http::{HeaderValue, StatusCode, header, request::Parts};
use octo_core::Hundredths;
use octo_delivery::{
    Config, Filter, NewParcel, Owner, Parcel, Parcels, Refusal, State as ParcelState, parcel::MAX_NAME, types,
};
use octo_http::{
    App, Error, Request, Response,
    api::Mismatch,
    extract::Whole,
    fastapi::{
        self, BOOLEAN, DECIMAL, Errors, FastApiError, INTEGER, Kind, Links, POSITIVE, Parsed, Place, Rule,
        STRING, UUID,
    },
    query::Query,
    respond,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    guards::{SESSION, Session, Visitor, account},
    own,
    pricing::{self, sql},
    responses::problem,
};

const NO_COOKIE: &str = "Необходима cookie сессии";
const BAD_COOKIE: &str = "Токен сессии невалиден";
const NO_TYPE: &str = "Типа посылки с переданным ID не существует";
const NO_PAGE: &str = "Страница не найдена";
const NO_STATUS: &str = "Посылки с таким UUID не существует";

/// How long the status of a parcel can be asked for.
const STATUS_KEPT_MS: i64 = 24 * 3600 * 1000;

/// Most parcels of a page, and how many it has when nothing is asked for.
const SIZES: (i64, i64) = (20, 100);

/// The paths of these routes, as far as their slash is concerned.
const PATHS: [&[&str]; 5] =
    [&["sessions", "new"], &["types"], &["packages"], &["packages", ""], &["packages", "status", ""]];

/// What the original sends to a request that no route takes as it is.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    let path = request.uri().path();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if !["sessions", "types", "packages"].iter().any(|its| segments.first() == Some(its)) {
        return None;
    }
    Some(match mismatch {
        Mismatch::Path if PATHS.iter().any(|known| lacks_slash(&segments, known)) => {
            fastapi::redirect(request, &format!("{path}/"))
        }
        Mismatch::Path => fastapi::not_found(),
        Mismatch::Method(allow) => fastapi::method_not_allowed(allow),
        Mismatch::Slash => return None,
    })
}

/// Whether these are the segments of a known path (an empty one stands for any) that lacks the slash at its end.
fn lacks_slash(segments: &[&str], known: &[&str]) -> bool {
    let fits = |(segment, known): (&&str, &&str)| {
        if known.is_empty() { !segment.is_empty() } else { segment == known }
    };
    segments.len() == known.len() && segments.iter().zip(known).all(fits)
}

/// That a session begins.
#[derive(Serialize, ToSchema)]
#[schema(as = PackageSession)]
pub(crate) struct SessionBody {
    #[schema(example = "Сессия установлена (cookie)")]
    message: &'static str,
}

/// Begin a session
#[utoipa::path(
    get, path = "/sessions/new/", tag = "delivery", operation_id = "newPackageSession",
    responses((status = 200, description = "The cookie `session` is set.", body = SessionBody))
)]
pub(crate) async fn new_session(State(app): State<App>) -> Response {
    let mut response = respond::json(StatusCode::OK, &SessionBody { message: "Сессия установлена (cookie)" });
    let cookie = format!("{SESSION}={}; HttpOnly; Path=/; SameSite=strict", own::uuid(&app));
    if let Ok(mut cookie) = HeaderValue::from_str(&cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// A type as the original's clients read it.
#[derive(Serialize, ToSchema)]
#[schema(as = PackageType)]
pub(crate) struct PackageType {
    #[schema(example = 2)]
    id: i64,
    #[schema(example = "Электроника")]
    name: String,
}

/// See the types of packages
#[utoipa::path(
    get, path = "/types/", tag = "delivery", operation_id = "listPackageTypes",
    responses((status = 200, description = "All of them, the last first.", body = Vec<PackageType>))
)]
pub(crate) async fn package_types(State(app): State<App>) -> Result<Response, Error> {
    let all = types::all(&sql(&app)).await?;
    let last_first: Vec<_> =
        all.into_iter().rev().map(|kind| PackageType { id: kind.id, name: kind.name }).collect();
    Ok(respond::json(StatusCode::OK, &last_first))
}

/// A client of the original's routes.
pub(crate) struct Client(Owner);

impl Client {
    async fn of(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if let Some(Visitor { owner, .. }) = account(parts, app).await? {
            return Ok(Self(owner));
        }
        match Session::of(&parts.headers) {
            Session::Of(owner) => Ok(Self(owner)),
            Session::Invalid => Err(fastapi::detail(StatusCode::BAD_REQUEST, BAD_COOKIE).into()),
            Session::None => Err(fastapi::detail(StatusCode::UNAUTHORIZED, NO_COOKIE).into()),
        }
    }

    /// Refuses a session that has never registered anything, as the original does before it looks at what is asked for.
    async fn known(self, app: &App) -> Result<Owner, Error> {
        if matches!(self.0, Owner::Session(_)) && !Parcels::new(&sql(app)).has_any(&self.0).await? {
            return Err(no_page());
        }
        Ok(self.0)
    }
}

impl FromRequestParts<App> for Client {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Self::of(parts, app).await
    }
}

const NAME: Kind<String> =
    Kind::new(|value| {
        let name = STRING.read(value)?;
        match name.chars().count() {
            0 => Err(Rule::new("string_too_short", "String should have at least 1 character")
                .with("min_length", 1)),
            long if long > MAX_NAME => {
                Err(Rule::new("string_too_long", "String should have at most 512 characters")
                    .with("max_length", 512))
            }
            _ if name.contains('\0') => Err(Rule::new("value_error", "Value error, there must be no NUL")),
            _ => Ok(name),
        }
    });

/// The body of `POST /packages/`.
#[derive(ToSchema)]
#[schema(as = NewPackage)]
#[allow(dead_code)]
pub(crate) struct NewPackageBody {
    /// 1 to 512 characters.
    #[schema(example = "Phone")]
    name: String,
    /// In kilograms, a number or its text.
    #[schema(example = 1.5)]
    weight: f64,
    /// In US dollars, a number or its text.
    #[schema(example = 10.99)]
    price: f64,
    /// The number of a type.
    #[schema(example = 2)]
    r#type: i64,
}

/// Under what the status of a package is asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = PackageRegistered)]
pub(crate) struct RegisteredBody {
    #[schema(example = "5e6f1f0c-3f0b-4f2e-9a53-0f4b5d8f7f11")]
    uuid: String,
}

/// Register a package
///
/// Its price is found out in the background.
#[utoipa::path(
    post, path = "/packages/", tag = "delivery", operation_id = "registerPackage",
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out.")),
    request_body = NewPackageBody,
    responses(
        (status = 201, description = "It is registered.", body = RegisteredBody),
        (status = 400, description = "The cookie is no UUID, or there is no such type.", body = FastApiError),
        (status = 401, description = "There is no cookie.", body = FastApiError),
        (status = 422, description = "A field breaks a rule.", body = FastApiError),
        (status = 429, description = "The client registered too many parcels today."),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn register_package(
    State(app): State<App>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let headers = parts.headers.clone();
    let parsed = Parsed::read(Request::from_parts(parts.clone(), body), Links::None)?;
    let Client(owner) = Client::of(&mut parts, &app).await?;
    let mut body = parsed.members()?.showing_input();
    let (name, weight) = (body.required("name", &NAME), body.required("weight", &DECIMAL));
    let (value, type_id) = (body.required("price", &DECIMAL), body.required("type", &POSITIVE));
    let all = name.zip(weight).zip(value.zip(type_id));
    let ((name, weight), (value, type_id)) = body.finish(all)?;
    let new = NewParcel { name, weight, value, type_id };
    let visitor = Visitor { owner, is_administrator: false };
    let known = types::all(&sql(&app)).await?;
    if !known.iter().any(|kind| kind.id == type_id) {
        return Err(fastapi::detail(StatusCode::BAD_REQUEST, NO_TYPE).into());
    }
    let registered = own::keep(&app, &visitor, &headers, "POST /packages/", &new).await?;
    pricing::carry_out_later(&app, &Config::read(&app.settings)?);
    Ok(respond::json(StatusCode::CREATED, &RegisteredBody { uuid: registered.parcel.status_uuid }))
}

/// A package as the original's clients read it, the keys in its order.
#[derive(Serialize, ToSchema)]
#[schema(as = Package)]
pub(crate) struct PackageBody {
    id: i64,
    #[schema(example = "Phone")]
    name: String,
    #[schema(example = "1.50")]
    weight: String,
    #[schema(example = "10.99")]
    price: String,
    #[schema(required, example = "72.24")]
    cost: Option<String>,
    #[schema(example = 2)]
    r#type: i64,
}

impl From<&Parcel> for PackageBody {
    fn from(of: &Parcel) -> Self {
        Self {
            id: of.id,
            name: of.name.clone(),
            weight: Hundredths(of.weight).to_string(),
            price: Hundredths(of.value).to_string(),
            cost: of.cost.map(|cost| Hundredths(cost).to_string()),
            r#type: of.type_id,
        }
    }
}

/// A page of packages.
#[derive(Serialize, ToSchema)]
#[schema(as = PackagePage)]
pub(crate) struct PackagePage {
    /// How many there are in all.
    count: i64,
    #[schema(required)]
    next: Option<String>,
    #[schema(required)]
    previous: Option<String>,
    results: Vec<PackageBody>,
}

/// Which page.
const PAGE: Kind<i64> = Kind::new(|value| {
    let rule = || Rule::new("greater_than_equal", "Input should be greater than or equal to 1").with("ge", 1);
    Some(INTEGER.read(value)?).filter(|number| *number >= 1).ok_or_else(rule)
});

/// How many a page has.
const SIZE: Kind<i64> = Kind::new(|value| {
    let (_, most) = SIZES;
    let rule = || Rule::new("less_than_equal", "Input should be less than or equal to 100").with("le", most);
    Some(PAGE.read(value)?).filter(|number| *number <= most).ok_or_else(rule)
});

/// See the packages of this session
///
/// The newest first.
#[utoipa::path(
    get, path = "/packages/", tag = "delivery", operation_id = "listPackages",
    params(
        ("page" = Option<i64>, Query, description = "Which page, from 1.", minimum = 1),
        ("size" = Option<i64>, Query, description = "How many a page has; 20 as a rule.", minimum = 1, maximum = 100),
        ("type" = Option<i64>, Query, description = "Only those of this type."),
        ("has_cost" = Option<bool>, Query, description = "Only those that have a price, or that have none."),
    ),
    responses(
        (status = 200, description = "A page of them.", body = PackagePage),
        (status = 400, description = "The cookie is no UUID.", body = FastApiError),
        (status = 401, description = "There is no cookie.", body = FastApiError),
        (status = 422, description = "A parameter breaks a rule.", body = FastApiError),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn list_packages(
    State(app): State<App>,
    Client(owner): Client,
    query: Query,
) -> Result<Response, Error> {
    let mut errors = Errors::new(Place::Query, Links::None);
    let page = errors.parameter(&query, "page", &PAGE).unwrap_or(1);
    let size = errors.parameter(&query, "size", &SIZE).unwrap_or(SIZES.0);
    let type_id = errors.parameter(&query, "type", &POSITIVE);
    let priced = errors.parameter(&query, "has_cost", &BOOLEAN);
    errors.finish(Some(()))?;
    let filter = Filter { owner: Some(owner.key()), type_id, priced, ..Filter::default() };
    let skipped = (page - 1).saturating_mul(size);
    let (count, found) = Parcels::new(&sql(&app)).page(&filter, skipped, size).await?;
    let host_url = Config::read(&app.settings)?.host_url;
    let link = |page: i64| {
        let mut link = format!("{host_url}packages/?page={page}&size={size}");
        if let Some(type_id) = type_id {
            link.push_str(&format!("&type={type_id}"));
        }
        if let Some(priced) = priced {
            link.push_str(&format!("&has_cost={priced}"));
        }
        link
    };
    let body = PackagePage {
        count,
        next: (skipped.saturating_add(size) < count).then(|| link(page + 1)),
        previous: (page > 1).then(|| link(page - 1)),
        results: found.iter().map(PackageBody::from).collect(),
    };
    Ok(respond::json(StatusCode::OK, &body))
}

/// How the registration of a package stands.
#[derive(Serialize, ToSchema)]
#[schema(as = PackageStatus)]
pub(crate) struct StatusBody {
    pending: bool,
    error: bool,
    #[schema(required)]
    id: Option<i64>,
}

/// See how the registration of a package stands
#[utoipa::path(
    get, path = "/packages/status/{status_uuid}/", tag = "delivery", operation_id = "getPackageStatus",
    params(("status_uuid" = String, Path, description = "What the registration was answered with.")),
    responses(
        (status = 200, description = "How it stands.", body = StatusBody),
        (status = 400, description = "The cookie is no UUID.", body = FastApiError),
        (status = 401, description = "There is no cookie.", body = FastApiError),
        (status = 404, description = "There is none, or not any more.", body = FastApiError),
        (status = 422, description = "It is no UUID.", body = FastApiError),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn package_status(
    State(app): State<App>,
    client: Client,
    Path(status_uuid): Path<String>,
) -> Result<Response, Error> {
    let owner = client.known(&app).await?;
    let uuid = UUID.read(Value::from(status_uuid.as_str()));
    let uuid = uuid.map_err(|rule| fastapi::in_path("status_uuid", rule, &status_uuid))?;
    let none = || Error::from(fastapi::detail(StatusCode::NOT_FOUND, NO_STATUS));
    let parcel = match Parcels::new(&sql(&app)).by_status(&owner, &uuid.to_string()).await {
        Ok(parcel) => parcel,
        Err(Refusal::NoSuchParcel) => return Err(none()),
        Err(refusal) => return Err(problem(refusal).into()),
    };
    let is_old = app.clock.now().0 - parcel.created_at.0 > STATUS_KEPT_MS;
    let body = match parcel.state {
        ParcelState::Pending => StatusBody { pending: true, error: false, id: None },
        _ if is_old => return Err(none()),
        ParcelState::Failed => StatusBody { pending: false, error: true, id: None },
        ParcelState::Priced | ParcelState::Canceled => {
            StatusBody { pending: false, error: false, id: Some(parcel.id) }
        }
    };
    Ok(respond::json(StatusCode::OK, &body))
}

/// See a package
#[utoipa::path(
    get, path = "/packages/{package_id}/", tag = "delivery", operation_id = "getPackage",
    params(("package_id" = i64, Path, description = "The package's number.", minimum = 1)),
    responses(
        (status = 200, description = "The package.", body = PackageBody),
        (status = 400, description = "The cookie is no UUID.", body = FastApiError),
        (status = 401, description = "There is no cookie.", body = FastApiError),
        (status = 404, description = "There is no such package, or it is another session's.", body = FastApiError),
        (status = 422, description = "It is no number.", body = FastApiError),
    ),
    security((), ("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn package(
    State(app): State<App>,
    client: Client,
    Path(package_id): Path<String>,
) -> Result<Response, Error> {
    let owner = client.known(&app).await?;
    let id = POSITIVE.read(Value::from(package_id.as_str()));
    let id = id.map_err(|rule| fastapi::in_path("package_id", rule, &package_id))?;
    match Parcels::new(&sql(&app)).of(Some(&owner), id).await {
        Ok(parcel) => Ok(respond::json(StatusCode::OK, &PackageBody::from(&parcel))),
        Err(Refusal::NoSuchParcel) => Err(no_page()),
        Err(refusal) => Err(problem(refusal).into()),
    }
}

fn no_page() -> Error {
    fastapi::detail(StatusCode::NOT_FOUND, NO_PAGE).into()
}
