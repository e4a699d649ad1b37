//! The user service of the original message handler : its clients log in with a
//! form and carry their token in a cookie.
//!
//! Different on purpose: an address must be one, and a password must be worth the name (`legacy_rules`); nobody grants
//! himself anything; a logout ends the token, not only the cookie; the cookie is `Secure` where the client speaks
//! TLS; who changes his address or password has just logged in, or sends the old password as well. No mail is sent, so there are no verification tokens: an administrator verifies an account.

use std::time::Duration;

use axum::extract::State;
use http::{Method, StatusCode};
use octo_access::Role;
use octo_http::{
    App, Caller, Error, Request, Response,
    body::Fields,
    extract::Whole,
    fastapi::{self, BOOLEAN, Body, DATE, Errors, FastApiError, INTEGER, Links, Place, STRING},
    form::Form,
    path, respond,
};
use octo_identity::{
    Refusal,
    accounts::{Account, Change, NewAccount},
    email::Email,
    identifier::Identifier,
    password::Password,
    shape::Shape,
    sign_on::LogIn,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    guards::{self, ClientContext, config, refuse_forged, sign_on},
    responses,
};

/// The original's user service was written with this version.
const PYDANTIC: Links = Links::Pydantic("2.5");

/// How long after a login its address and password may be changed without the old one.
const FRESH: Duration = Duration::from_secs(600);

/// `UserRead`
#[derive(Serialize, ToSchema)]
#[schema(as = MessageHandlerUser)]
pub(crate) struct UserRead<'a> {
    id: i64,
    email: &'a str,
    is_active: bool,
    is_superuser: bool,
    is_verified: bool,
    paid_access: bool,
    free_messages_left: i64,
    refresh_at: String,
}

/// `UserUpdate`, of what can take effect.
struct UserUpdate {
    /// Not the original's.
    current_password: Option<String>,
    password: Option<String>,
    email: Option<Email>,
    paid_access: bool,
    is_active: Option<bool>,
    is_superuser: Option<bool>,
    is_verified: Option<bool>,
}

/// `POST /auth/register`
pub(crate) async fn register(app: &App, fields: Fields, client: &ClientContext) -> Result<Response, Error> {
    let mut body = Body::new(fields.into_members(), PYDANTIC);
    let email = body.required("email", &STRING);
    let password = body.required("password", &STRING);
    let demanded = body
        .required("paid_access", &BOOLEAN)
        .zip(body.required("free_messages_left", &INTEGER))
        .zip(body.required("refresh_at", &DATE));
    let flags = ["is_active", "is_superuser", "is_verified"].map(|name| body.optional(name, &BOOLEAN));
    let email = email.and_then(|text| address(&mut body, text));
    let values = email.zip(password).zip(demanded).filter(|_| flags.iter().all(Option::is_some));
    let ((email, password), _) = body.finish(values)?;

    let refused = |reason: String| refused_password("REGISTER_INVALID_PASSWORD", &reason);
    let rules = config(app)?.password_rules;
    let password = Password::chosen(password, rules).map_err(|error| refused(error.to_string()))?;
    let new = NewAccount { email: Some(email), ..NewAccount::default() };
    match sign_on(app)?.register(&new, &password, &client.source).await {
        Ok(account) => user_read(app, StatusCode::CREATED, &account).await,
        Err(Refusal::Taken) => {
            Err(fastapi::detail(StatusCode::BAD_REQUEST, "REGISTER_USER_ALREADY_EXISTS").into())
        }
        Err(error @ Refusal::PasswordRepeatsName) => Err(refused(error.to_string()).into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// `POST /auth/login`. It gives a cookie and no token, so there is nothing in it for a page of another site.
pub(crate) async fn log_in(app: &App, request: Request, client: &ClientContext) -> Result<Response, Error> {
    refuse_forged(&request)?;
    let form = Form::read(request)?;
    let mut errors = Errors::new(Place::Body, PYDANTIC);
    if !matches!(form.get("grant_type"), None | Some("" | "password")) {
        let rule = "String should match pattern 'password'";
        errors.refuse("grant_type", "string_pattern_mismatch", rule);
    }
    let [username, password] = ["username", "password"].map(|name| errors.field(&form, name));
    let (username, password) = errors.finish(username.zip(password))?;
    let bad = || fastapi::detail(StatusCode::BAD_REQUEST, "LOGIN_BAD_CREDENTIALS");
    let who = Identifier::new(username.to_owned());
    let password = Password::presented(password.to_owned());
    let (Ok(who), Ok(password)) = (who, password) else { return Ok(bad()) };
    let shape = Shape::MessageHandler;
    let login = LogIn { who: &who, password: &password, shape, client: &client.name, source: &client.source };
    match sign_on(app)?.log_in(&login).await {
        Ok(tokens) => {
            let mut response = respond::empty(StatusCode::NO_CONTENT);
            responses::set_cookie(&mut response, &tokens.access, tokens.expires_in, client.secure);
            Ok(response)
        }
        Err(Refusal::BadCredentials) => Ok(bad()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// `POST /auth/logout`
pub(crate) async fn log_out(app: &App, request: Request) -> Result<Response, Error> {
    let client = ClientContext::of(app, &request)?;
    let (_, caller) = cookie_holder(app, &request).await?;
    sign_on(app)?.log_out(&caller.claims).await?;
    let mut response = respond::empty(StatusCode::NO_CONTENT);
    responses::set_cookie(&mut response, "", 0, client.secure);
    Ok(response)
}

/// `GET /users/me`
pub(crate) async fn me(app: &App, request: Request) -> Result<Response, Error> {
    let account = own(app, &request).await?;
    user_read(app, StatusCode::OK, &account).await
}

/// Be welcomed, as the message handler's clients are
#[utoipa::path(
    get, path = "/welcome", tag = "message handler", operation_id = "messageHandlerWelcome",
    responses(
        (status = 200, description = "Welcome.", body = Welcome),
        (status = 401, description = "The cookie has no accepted token.", body = FastApiError),
    ),
    security(("session_cookie" = []))
)]
pub(crate) async fn welcome(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let account = own(&app, &request).await?;
    let response = format!("Welcome, {}", name(&account));
    Ok(respond::json(StatusCode::OK, &Welcome { ok: true, response }))
}

async fn own(app: &App, request: &Request) -> Result<Account, Error> {
    let (id, _) = cookie_holder(app, request).await?;
    sign_on(app)?.account(id).await.map_err(|refusal| match refusal {
        Refusal::NoSuchAccount => unauthorized().into(),
        refusal => refusal.into(),
    })
}

/// `PATCH /users/me`: address and password take effect, rights never.
pub(crate) async fn change_me(app: &App, request: Request) -> Result<Response, Error> {
    let (id, caller) = cookie_holder(app, &request).await?;
    let source = ClientContext::of(app, &request)?.source;
    let mut update = UserUpdate::read(request)?;
    let sign_on = sign_on(app)?;
    let account = sign_on.account(id).await.map_err(not_updated)?;
    if update.concerns_login(&account) {
        let_change_login(app, &account, &caller, update.current_password.take(), &source).await?;
    }
    let change = Change { email: update.email, ..Change::default() };
    let password = updated_password(app, update.password)?;
    if let Some(password) = &password {
        refuse_repetition(&change, password)?;
        let kept = Some(caller.claims.sid.as_str());
        sign_on.set_password(id, password, kept).await.map_err(not_updated)?;
    }
    let account = sign_on.change_own(id, &change, password.as_ref(), &source).await.map_err(not_updated)?;
    user_read(app, StatusCode::OK, &account).await
}

/// Address and password are changed by anyone who has just logged in as this original's clients do, which know no
/// other proof, or by anyone who sends the password: a stolen token is not enough.
async fn let_change_login(
    app: &App,
    account: &Account,
    caller: &Caller,
    current_password: Option<String>,
    source: &str,
) -> Result<(), Error> {
    let sign_on = sign_on(app)?;
    if let Some(password) = current_password {
        let password = Password::presented(password).map_err(|_| not_proven())?;
        return Ok(sign_on.confirm(account.id, &password, source).await?);
    }
    match sign_on.begun(&caller.claims.sid).await? {
        Some((Shape::MessageHandler, at)) if app.clock.now().since(at) <= FRESH => Ok(()),
        _ => Err(not_proven().into()),
    }
}

/// `GET`, `PATCH` and `DELETE /users/{id}`, for superusers.
pub(crate) async fn user(app: &App, request: Request, id: &str) -> Result<Response, Error> {
    let (actor, caller) = cookie_holder(app, &request).await?;
    if caller.claims.role != Role::Admin || !sign_on(app)?.is_administrator(actor).await? {
        return Err(fastapi::detail(StatusCode::FORBIDDEN, "Forbidden").into());
    }
    let id = path::id(id).ok_or_else(fastapi::not_found)?;
    let sign_on = sign_on(app)?;
    let account = sign_on.account(id).await.map_err(not_updated)?;
    match *request.method() {
        Method::GET => user_read(app, StatusCode::OK, &account).await,
        Method::DELETE => {
            sign_on.delete_as(actor, id).await.map_err(not_updated)?;
            Ok(respond::empty(StatusCode::NO_CONTENT))
        }
        _ => {
            let mut update = UserUpdate::read(request)?;
            let password = updated_password(app, update.password.take())?;
            let change = update.change(account.grants.role);
            if let Some(password) = password {
                refuse_repetition(&change, &password)?;
                sign_on.set_password_as(actor, id, &password).await.map_err(not_updated)?;
            }
            let account = sign_on.change_as(actor, id, &change).await.map_err(not_updated)?;
            user_read(app, StatusCode::OK, &account).await
        }
    }
}

/// The body of `POST /auth/request-verify-token`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct VerificationWish {
    #[schema(example = "ada@example.com")]
    email: String,
}

/// Ask for a verification token
///
/// No mail is sent, so the response is the same whether there is such an account or not.
#[utoipa::path(
    post, path = "/auth/request-verify-token", tag = "message handler", operation_id = "messageHandlerRequestVerification",
    request_body = VerificationWish,
    responses(
        (status = 202, description = "It was heard.", body = serde_json::Value),
        (status = 422, description = "The address is none.", body = FastApiError),
    )
)]
pub(crate) async fn request_verify_token(Whole(request): Whole) -> Result<Response, Error> {
    let mut body = Body::read_embedded(request, PYDANTIC)?;
    let email = body.required("email", &STRING).and_then(|text| address(&mut body, text));
    body.finish(email)?;
    Ok(respond::json(StatusCode::ACCEPTED, &Value::Null))
}

/// The body of `POST /auth/verify`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct Verification {
    token: String,
}

/// Verify an account with a token
///
/// Nobody was ever sent one: an administrator verifies accounts.
#[utoipa::path(
    post, path = "/auth/verify", tag = "message handler", operation_id = "messageHandlerVerify",
    request_body = Verification,
    responses(
        (status = 200, description = "It is verified. This does not happen."),
        (status = 400, description = "The token is not accepted.", body = FastApiError),
        (status = 422, description = "There is no token.", body = FastApiError),
    )
)]
pub(crate) async fn verify(Whole(request): Whole) -> Result<Response, Error> {
    let mut body = Body::read_embedded(request, PYDANTIC)?;
    let token = body.required("token", &STRING);
    body.finish(token)?;
    Ok(fastapi::detail(StatusCode::BAD_REQUEST, "VERIFY_USER_BAD_TOKEN"))
}

fn updated_password(app: &App, password: Option<String>) -> Result<Option<Password>, Error> {
    let Some(password) = password else { return Ok(None) };
    match Password::chosen(password, config(app)?.password_rules) {
        Ok(password) => Ok(Some(password)),
        Err(error) => Err(refused_password("UPDATE_USER_INVALID_PASSWORD", &error.to_string()).into()),
    }
}

async fn cookie_holder(app: &App, request: &Request) -> Result<(i64, Caller), Error> {
    guards::owner(app, request).await.map_err(|problem| match problem.status {
        StatusCode::UNAUTHORIZED => unauthorized().into(),
        _ => problem.into(),
    })
}

async fn user_read(app: &App, status: StatusCode, account: &Account) -> Result<Response, Error> {
    let free = sign_on(app)?.free_messages(account.id).await;
    let body = UserRead {
        id: account.id,
        email: name(account),
        is_active: account.active,
        is_superuser: account.is_admin(),
        is_verified: account.verified,
        paid_access: account.grants.paid_access,
        free_messages_left: free.left,
        refresh_at: free.refills_on.to_string(),
    };
    Ok(respond::json(status, &body))
}

#[derive(Serialize, ToSchema)]
#[schema(as = MessageHandlerWelcome)]
pub(crate) struct Welcome {
    ok: bool,
    response: String,
}

impl UserUpdate {
    fn read(request: Request) -> Result<Self, Error> {
        let mut body = Body::read(request, PYDANTIC)?;
        let demanded = body
            .required("id", &INTEGER)
            .zip(body.required("free_messages_left", &INTEGER))
            .zip(body.required("refresh_at", &DATE));
        let paid_access = body.required("paid_access", &BOOLEAN);
        let current_password = body.optional("current_password", &STRING);
        let password = body.optional("password", &STRING);
        let email = body.optional("email", &STRING).and_then(|text| match text {
            Some(text) => address(&mut body, text).map(Some),
            None => Some(None),
        });
        let [active, superuser, verified] =
            ["is_active", "is_superuser", "is_verified"].map(|name| body.optional(name, &BOOLEAN));
        let flags = active.zip(superuser).zip(verified);
        let values = demanded.zip(paid_access).zip(current_password.zip(password).zip(email)).zip(flags);
        let (
            ((_, paid_access), ((current_password, password), email)),
            ((is_active, is_superuser), is_verified),
        ) = body.finish(values)?;
        Ok(Self { current_password, password, email, paid_access, is_active, is_superuser, is_verified })
    }

    fn concerns_login(&self, account: &Account) -> bool {
        let email = self.email.as_ref().map(Email::as_str);
        self.password.is_some() || email.is_some_and(|email| account.email.as_deref() != Some(email))
    }

    fn change(self, role: Role) -> Change {
        Change {
            email: self.email,
            paid_access: Some(self.paid_access),
            active: self.is_active,
            verified: self.is_verified,
            role: match self.is_superuser {
                Some(true) => Some(Role::Admin),
                Some(false) if role == Role::Admin => Some(Role::User),
                _ => None,
            },
            ..Change::default()
        }
    }
}

/// Accounts without an address are shown by their user name.
fn name(account: &Account) -> &str {
    account.email.as_deref().or(account.username.as_deref()).unwrap_or("")
}

fn address(body: &mut Body, text: String) -> Option<Email> {
    let email = Email::new(text);
    if email.is_err() {
        body.refuse("email", "value is not a valid email address");
    }
    email.ok()
}

fn unauthorized() -> Response {
    fastapi::detail(StatusCode::UNAUTHORIZED, "Unauthorized")
}

/// The new password must not be the new name; nothing was changed so far.
fn refuse_repetition(change: &Change, password: &Password) -> Result<(), Error> {
    if change.names().any(|name| password.repeats(name)) {
        return Err(not_updated(Refusal::PasswordRepeatsName));
    }
    Ok(())
}

fn refused_password(code: &str, reason: &str) -> Response {
    fastapi::detail(StatusCode::BAD_REQUEST, json!({ "code": code, "reason": reason }))
}

fn not_proven() -> Response {
    let reason = "log in again with a form and send this within 10 minutes, or send `current_password`";
    refused_password("UPDATE_USER_INVALID_PASSWORD", reason)
}

fn not_updated(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NoSuchAccount => fastapi::not_found().into(),
        Refusal::Taken => fastapi::detail(StatusCode::BAD_REQUEST, "UPDATE_USER_EMAIL_ALREADY_EXISTS").into(),
        Refusal::PasswordRepeatsName => {
            refused_password("UPDATE_USER_INVALID_PASSWORD", &refusal.to_string()).into()
        }
        refusal => refusal.into(),
    }
}
