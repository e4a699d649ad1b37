//! The routes of the original loyalty service, for its clients: one route for every operation, conflicts told by 405 and
//! refusals by 400.
//!
//! Different on purpose: a balance is read by its owner and administrators (`legacy_rules` lets everybody); nobody opens an
//! account with an amount of his choice; an unknown operation and an amount that is none are 400, not 500; a database that
//! is away is 500 and not "user not found"; with an `Idempotency-Key` an operation is done once.

use axum::extract::{Path, State};
use http::{HeaderValue, StatusCode, header};
use octo_core::settings;
use octo_http::{
    App, Caller, Error, Request, Response, api::Mismatch, caller, extract::Whole, gzip, respond,
};
use octo_loyalty::{
    Account, Kind, Member, NewTransfer,
    members::standing,
    transfer::{MAX_COMMENT, MAX_POINTS},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    members::{self, is_administrator, number},
    own::{Asked, carry_out},
    worker::{config, sql},
};

const NO_TOKEN: &str = "jwt token invalid";
const NO_USER: &str = "user not found";
const NEGATIVE: &str = "withdraw such amount of loyalty leads to negative balance";
const NO_ADMIN: &str = "only admins can deposit loyalty";

/// An account as the original's clients read it. A balance of 0 is left out.
#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyAccount)]
pub(crate) struct AccountBody {
    #[schema(example = "Success")]
    status: &'static str,
    #[schema(example = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c909")]
    uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 80)]
    balance: Option<i64>,
}

impl AccountBody {
    fn of(uuid: String, balance: i64) -> Self {
        Self { status: "Success", uuid, balance: Some(balance).filter(|points| *points != 0) }
    }
}

/// That all is well.
#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyServiceStatus)]
pub(crate) struct StatusBody {
    #[schema(example = "Success")]
    status: &'static str,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyServiceFailure)]
pub(crate) struct FailureBody {
    #[schema(example = "Error")]
    status: &'static str,
    #[schema(example = "user not found")]
    error: String,
}

/// The body of `POST /loyalty`.
#[derive(ToSchema)]
#[schema(as = LoyaltyOperation)]
#[allow(dead_code)]
pub(crate) struct OperationBody {
    /// Whose points: administrators may name anybody; everybody else's own are meant, whatever it says.
    #[schema(example = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c909")]
    uuid: String,
    /// `w` to withdraw, `d` to deposit.
    #[schema(example = "w")]
    operation: String,
    #[schema(example = "coffee")]
    comment: String,
    /// How many points.
    #[schema(example = 20)]
    balance: i64,
}

fn failure(status: StatusCode, error: impl Into<String>) -> Response {
    respond::json(status, &FailureBody { status: "Error", error: error.into() })
}

fn refused_with(error: &str) -> Error {
    failure(StatusCode::BAD_REQUEST, error).into()
}

/// Withdraw or deposit points, as the loyalty service's clients do
///
/// The token stands in `Authorization`, with or without `Bearer`. Only administrators deposit.
#[utoipa::path(
    post, path = "/loyalty", tag = "loyalty", operation_id = "operateLoyalty",
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out.")),
    request_body = OperationBody,
    responses(
        (status = 200, description = "It is done.", body = AccountBody),
        (status = 400, description = "The token or the body is wrong, or there are too few points.", body = FailureBody),
        (status = 422, description = "The key belongs to another request."),
        (status = 429, description = "The account did too much with its points today."),
        (status = 500, description = "It cannot be done now.", body = FailureBody),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn operate(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let gzip = gzip::is_accepted(request.headers());
    sent(operated(&app, request).await, gzip)
}

async fn operated(app: &App, request: Request) -> Result<Response, Error> {
    let caller = token_owner(app, &request).await?.ok_or_else(|| refused_with(NO_TOKEN))?;
    let (head, body) = request.into_parts();
    let bytes = body.map_err(|_| refused_with("failed to read body"))?;
    let members = serde_json::from_slice(&bytes).map_err(|_| refused_with("failed to decode body"))?;
    let operation = Operation::read(&members)?;
    let own = number(&caller)?;
    let is_administrator = is_administrator(&caller);
    if operation.name == "d" && !is_administrator {
        return Err(refused_with(NO_ADMIN));
    }
    let config = config(app)?;
    let member = match is_administrator {
        true => members::by_uuid(app, &config, operation.uuid).await?,
        false => members::by_account(app, &config, own).await?,
    };
    let Member { id, uuid, .. } = member.ok_or_else(|| refused_with(NO_USER))?;
    let points = Some(operation.points).filter(|points| (1..=MAX_POINTS).contains(points));
    let points = points.ok_or_else(|| refused_with("field Balance is not valid"))?;
    let new = match operation.name.as_str() {
        "w" => NewTransfer::taken(Kind::Redemption, Account::Redeemed, id, points),
        "d" => NewTransfer::given(
            Kind::Award,
            Account::Issued,
            id,
            points,
            config.end_of_points(app.clock.now()),
        ),
        _ => return Err(refused_with("field Operation is not valid")),
    };
    let route = format!("POST /loyalty {}", operation.name);
    let new = new.by(own, &operation.comment);
    let posted = carry_out(app, &head.headers, Asked { caller: own, route: &route, new, seconds: 0 }).await;
    let balance = posted.map_err(in_its_words)?.transfer.balance;
    Ok(respond::json(StatusCode::OK, &AccountBody::of(uuid, balance)))
}

/// The token's owner; `None` when the token is not accepted.
async fn token_owner(app: &App, request: &Request) -> Result<Option<Caller>, Error> {
    let headers = request.headers();
    let bare = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = caller::bearer(headers).or(bare);
    match caller::authenticate(token, &app.store, &app.keys, &app.clock).await {
        Ok(caller) => Ok(Some(caller)),
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => Ok(None),
        Err(problem) => Err(problem.into()),
    }
}

/// A refusal as the original tells it, where it has words for it.
fn in_its_words(error: Error) -> Error {
    match error {
        Error::Problem(problem) => match problem.slug {
            "too-few-points" => refused_with(NEGATIVE),
            "no-such-points-account" => refused_with(NO_USER),
            _ => Error::Problem(problem),
        },
        response => response,
    }
}

/// What a client wants to be done.
struct Operation {
    uuid: Uuid,
    name: String,
    comment: String,
    points: i64,
}

impl Operation {
    /// Reads the members as the original does: names in any case; a value of a wrong type is a body that cannot be
    /// decoded; what breaks a rule is told by the field's inner name, all of it in one text.
    fn read(members: &Map<String, Value>) -> Result<Self, Error> {
        let undecodable = || refused_with("failed to decode body");
        let member = |name: &str| {
            let exact = members.get(name);
            exact.or_else(|| {
                members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            })
        };
        let text = |name: &str| match member(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(undecodable()),
        };
        let (uuid, name, comment) = (text("uuid")?, text("operation")?, text("comment")?);
        let points = match member("balance") {
            None | Some(Value::Null) => 0,
            Some(value) => value.as_i64().ok_or_else(undecodable)?,
        };
        let uuid = Uuid::try_parse(&uuid).ok();
        let errors = [
            (uuid.is_none(), "field UUID is not valid"),
            (name.is_empty(), "field Operation is a required field"),
            (comment.is_empty(), "field Comment is a required field"),
            (comment.chars().count() > MAX_COMMENT || comment.contains('\0'), "field Comment is not valid"),
            (points == 0, "field Balance is a required field"),
        ];
        let errors: Vec<_> = errors.iter().filter(|(broken, _)| *broken).map(|(_, text)| *text).collect();
        match uuid {
            Some(uuid) if errors.is_empty() => Ok(Self { uuid, name, comment, points }),
            _ => Err(refused_with(&errors.join(", "))),
        }
    }
}

/// See an account's balance, as the loyalty service's clients do
///
/// For the account's owner and administrators; with `legacy_rules` for everybody, as in the original.
#[utoipa::path(
    get, path = "/loyalty/{uuid}", tag = "loyalty", operation_id = "getLoyaltyAccount",
    params(("uuid" = String, Path, description = "The account's UUID.")),
    responses(
        (status = 200, description = "The account.", body = AccountBody),
        (status = 401, description = "The token is not accepted.", body = FailureBody),
        (status = 404, description = "There is no such account, or it is somebody else's.", body = FailureBody),
        (status = 405, description = "It is no UUID.", body = FailureBody),
        (status = 500, description = "It cannot be read now.", body = FailureBody),
    ),
    security((), ("access_token" = []))
)]
pub(crate) async fn account(
    State(app): State<App>,
    Path(uuid): Path<String>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let gzip = gzip::is_accepted(request.headers());
    sent(seen(&app, &uuid, &request).await, gzip)
}

async fn seen(app: &App, uuid: &str, request: &Request) -> Result<Response, Error> {
    let uuid = Uuid::try_parse(uuid).map_err(|_| failure(StatusCode::METHOD_NOT_ALLOWED, "invalid uuid"))?;
    let no_user = || failure(StatusCode::NOT_FOUND, NO_USER);
    let caller = match settings::switch(&app.settings, "legacy_rules")? {
        true => None,
        false => {
            let caller = token_owner(app, request).await?;
            Some(caller.ok_or_else(|| failure(StatusCode::UNAUTHORIZED, NO_TOKEN))?)
        }
    };
    let member = members::by_uuid(app, &config(app)?, uuid).await?.ok_or_else(no_user)?;
    if let Some(caller) = caller
        && number(&caller)? != member.id
        && !is_administrator(&caller)
    {
        return Err(no_user().into());
    }
    let balance = standing(&sql(app), &member, app.clock.now()).await?.balance;
    Ok(respond::json(StatusCode::OK, &AccountBody::of(member.uuid, balance)))
}

/// See whether the loyalty service can work
///
/// It asks the database.
#[utoipa::path(
    get, path = "/loyalty/ready", tag = "loyalty", operation_id = "loyaltyServiceReady",
    responses(
        (status = 200, description = "It can.", body = StatusBody),
        (status = 500, description = "It cannot.", body = FailureBody),
    )
)]
pub(crate) async fn ready(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let gzip = gzip::is_accepted(request.headers());
    let asked = octo_loyalty::members::by_id(&sql(&app), 0).await;
    sent(asked.map(|_| done()).map_err(Error::from), gzip)
}

/// See whether the loyalty service is there
#[utoipa::path(
    get, path = "/loyalty/healthz", tag = "loyalty", operation_id = "loyaltyServiceHealth",
    responses((status = 200, description = "It is.", body = StatusBody))
)]
pub(crate) async fn healthz(Whole(request): Whole) -> Result<Response, Error> {
    sent(Ok(done()), gzip::is_accepted(request.headers()))
}

fn done() -> Response {
    respond::json(StatusCode::OK, &StatusBody { status: "Success" })
}

/// The response, in gzip for a client that takes it. What the original calls an internal error is told in its form; the
/// reason is in the log.
fn sent(result: Result<Response, Error>, gzip: bool) -> Result<Response, Error> {
    let response = match result {
        Ok(response) => response,
        Err(Error::Response(response)) => *response,
        Err(Error::Problem(problem)) if problem.status.is_server_error() => {
            let logged = respond::problem(&problem);
            let mut response = failure(StatusCode::INTERNAL_SERVER_ERROR, "internal server error");
            *response.extensions_mut() = logged.extensions().clone();
            response
        }
        Err(problem) => return Err(problem),
    };
    Ok(if gzip { gzip::encoded(response) } else { response })
}

/// What the original sends to a request that no route takes as it is.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    let path = request.uri().path();
    let rest = path.strip_prefix("/loyalty").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let is_ours = rest.starts_with("/accounts");
    match mismatch {
        _ if is_ours => None,
        Mismatch::Path => Some(respond::text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned())),
        Mismatch::Method(allow) => {
            let mut response = respond::empty(StatusCode::METHOD_NOT_ALLOWED);
            if let Ok(allow) = HeaderValue::from_str(allow) {
                response.headers_mut().insert(header::ALLOW, allow);
            }
            Some(response)
        }
        // `POST /loyalty/` is a route of the original, too.
        Mismatch::Slash => None,
    }
}
