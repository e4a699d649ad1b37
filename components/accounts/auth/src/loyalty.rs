//! The single sign-on of the original loyalty system : JSON throughout, accounts known
//! by a UUID, conflicts told by 405.
//!
//! Different on purpose: a password must be worth the name (`legacy_rules`); a refresh token is opaque and no access
//! token; the answer to a lost refresh can be had again for 30 s; `info` refuses a bad token with 401, not 500;
//! pictures and birthdays are not kept.

use axum::extract::State;
use http::{HeaderValue, StatusCode, header};
use octo_http::{App, Error, Request, Response, body::Fields, caller, extract::Whole, gzip, respond};
use octo_identity::{
    Refusal,
    accounts::NewAccount,
    email::Email,
    identifier::Identifier,
    password::Password,
    refresh::RefreshToken,
    shape::Shape,
    sign_on::{LogIn, Revoked, Tokens},
    text::short,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::guards::{self, ClientContext, config, sign_on};

/// A login's answer, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltySuccess)]
pub(crate) struct Success<'a> {
    status: &'static str,
    user_id: &'a str,
    access_token: &'a str,
    refresh_token: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyInfo)]
pub(crate) struct Info<'a> {
    status: &'static str,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyFailure)]
pub(crate) struct Failure<'a> {
    status: &'static str,
    error: &'a str,
}

const SUCCESS: &str = "Success";

/// Register, as the loyalty system's clients do
///
/// The response has tokens already.
#[utoipa::path(
    post, path = "/auth/registration", tag = "loyalty", operation_id = "loyaltyRegister",
    request_body = LoyaltyRegistration,
    responses(
        (status = 201, description = "The account is made.", body = Success),
        (status = 400, description = "The body is wrong.", body = Failure),
        (status = 405, description = "There is such a user.", body = Failure),
        (status = 429, description = "There were too many registrations from one place."),
    )
)]
pub(crate) async fn register(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    guards::refuse_other_sites(&app, &request)?;
    let client = ClientContext::of(&app, &request)?;
    told(registered(&app, request, &client).await, &client)
}

/// The body of `POST /auth/registration`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct LoyaltyRegistration {
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "correct horse battery staple")]
    password: String,
    name: Option<String>,
}

async fn registered(app: &App, request: Request, client: &ClientContext) -> Result<Response, Error> {
    let bytes = request.into_body().map_err(|_| failure(StatusCode::BAD_REQUEST, "failed to read body"))?;
    let members = serde_json::from_slice(&bytes).map_err(|_| undecodable())?;
    let mut fields = Checked::new(members);
    let email = fields.email()?;
    let password = fields.text("password")?.filter(|text| !text.is_empty());
    let name = fields.text("name")?.unwrap_or_default();
    let rules = config(app)?.password_rules;
    let password = match password {
        Some(text) => fields.take("Password", "not valid", Password::chosen(text, rules).ok()),
        None => fields.take("Password", "a required field", None),
    };
    let full_name = fields.take("Name", "not valid", short(name).ok());
    let ((email, password), full_name) = fields.finish(email.zip(password).zip(full_name))?;
    let sign_on = sign_on(app)?;
    let new = NewAccount { email: Some(email.clone()), full_name, ..NewAccount::default() };
    match sign_on.register(&new, &password, &client.source).await {
        Ok(_) => {}
        Err(Refusal::Taken) => return Err(conflict("user already exists").into()),
        Err(Refusal::PasswordRepeatsName) => {
            return Err(failure(StatusCode::BAD_REQUEST, "field Password is not valid").into());
        }
        Err(refusal) => return Err(refusal.into()),
    }
    let who = email.into();
    Ok(success(&sign_on.log_in(&login(&who, &password, client)).await?))
}

/// `POST /auth/login`
pub(crate) async fn log_in(app: &App, fields: Fields, client: &ClientContext) -> Result<Response, Error> {
    let mut fields = Checked::new(fields.into_members());
    let who = fields.text("email")?.filter(|text| text.contains('@'));
    let who = fields.take("Email", "not valid", who.and_then(|text| Identifier::new(text).ok()));
    let password = fields.text("password")?.unwrap_or_default();
    let who = fields.finish(who)?;
    let unknown = || failure(StatusCode::NOT_FOUND, "user not found");
    let password = Password::presented(password).map_err(|_| unknown())?;
    match sign_on(app)?.log_in(&login(&who, &password, client)).await {
        Ok(tokens) => Ok(success(&tokens)),
        Err(Refusal::BadCredentials) => Err(unknown().into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// `POST /auth/refresh`
pub(crate) async fn refresh(app: &App, fields: Fields) -> Result<Response, Error> {
    let token = Checked::new(fields.into_members()).token()?;
    let sign_on = sign_on(app)?;
    let presented = RefreshToken::presented(token.clone());
    let refreshed = match presented {
        Some(presented) => sign_on.refresh(&presented).await,
        None => Err(Refusal::UnknownRefreshToken),
    };
    match refreshed {
        Ok(tokens) => Ok(success(&tokens)),
        Err(Refusal::SpentRefreshToken) => Err(conflict("token revoked").into()),
        Err(Refusal::UnknownRefreshToken) if sign_on.is_access_token(&token).await? => {
            Err(conflict("token wrong type, expected refresh").into())
        }
        Err(Refusal::UnknownRefreshToken) => Err(token_error().into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// `POST /auth/logout`, by an access or a refresh token.
pub(crate) async fn log_out(app: &App, fields: Fields) -> Result<Response, Error> {
    let token = Checked::new(fields.into_members()).token()?;
    match sign_on(app)?.revoke(&token).await? {
        Revoked::Now => Ok(done()),
        Revoked::Before => Err(conflict("token revoked").into()),
        Revoked::Unknown => Err(token_error().into()),
    }
}

/// See who one is, as the loyalty system's clients do
///
/// The token stands in `Authorization`, with or without `Bearer`.
#[utoipa::path(
    get, path = "/auth/info", tag = "loyalty", operation_id = "loyaltyInfo",
    responses(
        (status = 200, description = "The account.", body = Info),
        (status = 401, description = "The token is not accepted.", body = Failure),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn info(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let client = ClientContext::of(&app, &request)?;
    told(informed(&app, request).await, &client)
}

async fn informed(app: &App, request: Request) -> Result<Response, Error> {
    let refused = || failure(StatusCode::UNAUTHORIZED, "token error");
    let headers = request.headers();
    let bare = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = caller::bearer(headers).or(bare);
    let caller = match caller::authenticate(token, &app.store, &app.keys, &app.clock).await {
        Ok(caller) => caller,
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED => return Err(refused().into()),
        Err(problem) => return Err(problem.into()),
    };
    match sign_on(app)?.owner(&caller.claims).await {
        Ok(account) => {
            let email = account.email.as_deref();
            Ok(respond::json(StatusCode::OK, &Info { status: SUCCESS, user_id: &account.uuid, email }))
        }
        Err(Refusal::NoSuchAccount) => Err(refused().into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// See whether sign-on can work
///
/// It asks the database.
#[utoipa::path(
    get, path = "/auth/ready", tag = "loyalty", operation_id = "loyaltyReady",
    responses(
        (status = 200, description = "It can.", body = StatusBody),
        (status = 500, description = "It cannot.", body = Failure),
    )
)]
pub(crate) async fn ready(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let client = ClientContext::of(&app, &request)?;
    let is_ready = sign_on(&app)?.keys().await.is_ok();
    told(
        if is_ready {
            Ok(done())
        } else {
            Ok(failure(StatusCode::INTERNAL_SERVER_ERROR, "internal server error"))
        },
        &client,
    )
}

/// See whether sign-on is there
#[utoipa::path(
    get, path = "/auth/healthz", tag = "loyalty", operation_id = "loyaltyHealth",
    responses((status = 200, description = "It is.", body = StatusBody))
)]
pub(crate) async fn healthz(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    told(Ok(done()), &ClientContext::of(&app, &request)?)
}

/// That all is well.
#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyStatus)]
pub(crate) struct StatusBody {
    #[schema(example = "Success")]
    status: &'static str,
}

fn done() -> Response {
    respond::json(StatusCode::OK, &StatusBody { status: SUCCESS })
}

/// The members of a body, read as the original reads them: a wrong type is a body that cannot be decoded, and what
/// breaks a rule is told by the field's inner name, all of it in one text.
struct Checked {
    members: Map<String, Value>,
    errors: Vec<String>,
}

impl Checked {
    fn new(members: Map<String, Value>) -> Self {
        Self { members, errors: Vec::new() }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(undecodable().into()),
        }
    }

    fn email(&mut self) -> Result<Option<Email>, Error> {
        let email = self.text("email")?.and_then(|text| Email::new(text).ok());
        Ok(self.take("Email", "not valid", email))
    }

    fn token(mut self) -> Result<String, Error> {
        let token = self.text("token")?.filter(|token| !token.is_empty());
        let token = self.take("Token", "not valid", token);
        Ok(self.finish(token)?)
    }

    fn take<T>(&mut self, inner_name: &str, what: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.errors.push(format!("field {inner_name} is {what}"));
        }
        value
    }

    fn finish<T>(self, values: Option<T>) -> Result<T, Response> {
        values.ok_or_else(|| failure(StatusCode::BAD_REQUEST, &self.errors.join(", ")))
    }
}

/// The answer, in gzip for a client that takes it.
pub(crate) fn told(result: Result<Response, Error>, client: &ClientContext) -> Result<Response, Error> {
    let response = result.or_else(|error| match error {
        Error::Response(response) => Ok(*response),
        problem => Err(problem),
    })?;
    Ok(if client.gzip { gzip::encoded(response) } else { response })
}

/// A login in the shape these clients know.
fn login<'a>(who: &'a Identifier, password: &'a Password, client: &'a ClientContext) -> LogIn<'a> {
    LogIn { who, password, shape: Shape::Loyalty, client: &client.name, source: &client.source }
}

fn success(tokens: &Tokens) -> Response {
    let body = Success {
        status: SUCCESS,
        user_id: &tokens.account.uuid,
        access_token: &tokens.access,
        refresh_token: tokens.refresh.reveal(),
    };
    respond::json(StatusCode::CREATED, &body)
}

fn failure(status: StatusCode, error: &str) -> Response {
    respond::json(status, &Failure { status: "Error", error })
}

/// The path takes other methods: no body says so.
pub(crate) fn method_not_allowed(allow: &str) -> Response {
    let mut response = respond::empty(StatusCode::METHOD_NOT_ALLOWED);
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

fn undecodable() -> Response {
    failure(StatusCode::BAD_REQUEST, "failed to decode request")
}

fn conflict(error: &str) -> Response {
    failure(StatusCode::METHOD_NOT_ALLOWED, error)
}

fn token_error() -> Response {
    failure(StatusCode::BAD_REQUEST, "token error")
}
