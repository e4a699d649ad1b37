//! Accounts, for their owners.

use axum::extract::State;
use http::StatusCode;
use octo_core::Problem;
use octo_http::{App, Error, Request, Response, body::Fields, caller, extract::Whole, respond};
use octo_identity::{
    accounts::{Change, NewAccount},
    email::Email,
    password::Password,
    text::short,
    username::Username,
};
use utoipa::ToSchema;

use crate::{
    guards::{self, ClientContext, Owner, config, sign_on},
    responses::{self, AccountBody},
};

/// A new account.
#[derive(ToSchema)]
#[schema(as = NewAccount)]
#[allow(dead_code)]
pub(crate) struct NewAccountBody {
    #[schema(example = "ada@example.com")]
    email: String,
    /// At least 8 characters, and none of the most common passwords.
    #[schema(example = "correct horse battery staple")]
    password: String,
    #[schema(example = "ada")]
    username: Option<String>,
    #[schema(example = "Ada Lovelace")]
    full_name: Option<String>,
    phone: Option<String>,
}

/// `POST /auth/register`
pub(crate) async fn register(
    app: &App,
    mut fields: Fields,
    client: &ClientContext,
) -> Result<Response, Error> {
    let rules = config(app)?.password_rules;
    let email = fields.text("email", Email::new);
    let password = fields.text("password", |text| Password::chosen(text, rules));
    let username = fields.maybe_text("username", Username::new);
    let full_name = fields.maybe_text("full_name", short);
    let phone = fields.maybe_text("phone", short);
    let values = email.zip(password).zip(username.zip(full_name.zip(phone)));
    let ((email, password), (username, (full_name, phone))) = fields.finish(values)?;
    let new = NewAccount {
        email: Some(email),
        username,
        full_name: full_name.unwrap_or_default(),
        phone: phone.unwrap_or_default(),
    };
    let account = sign_on(app)?.register(&new, &password, &client.source).await?;
    Ok(responses::account(StatusCode::CREATED, &account))
}

/// Who becomes administrator.
#[derive(ToSchema)]
#[allow(dead_code)]
struct FirstAdministrator {
    /// The address of an account that is registered already.
    #[schema(example = "ada@example.com")]
    email: String,
}

/// Make the first administrator
///
/// The credential is the value of the variable `bootstrap_secret`. While there is an active administrator it makes none.
#[utoipa::path(
    post, path = "/auth/administrators", tag = "administration", operation_id = "makeFirstAdministrator",
    request_body = FirstAdministrator,
    responses(
        (status = 200, description = "The account is an administrator's now.", body = AccountBody),
        (status = 403, description = "The secret is not accepted."),
        (status = 409, description = "There is an administrator, or no such account."),
        (status = 429, description = "There were too many attempts."),
    ),
    security(("operator_key" = []))
)]
pub(crate) async fn make_first_administrator(
    State(app): State<App>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let secret = caller::bearer(request.headers()).unwrap_or("").to_owned();
    let mut fields = Fields::read(request)?;
    let email = fields.text("email", Email::new);
    let email = fields.finish(email)?;
    let account = sign_on(&app)?.make_first_administrator(&secret, &email).await?;
    Ok(responses::account(StatusCode::OK, &account))
}

/// `GET /users/me`
pub(crate) async fn me(app: &App, request: Request) -> Result<Response, Error> {
    let (id, _) = guards::owner(app, &request).await?;
    Ok(responses::account(StatusCode::OK, &sign_on(app)?.account(id).await?))
}

/// What may be changed of one's own account.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct AccountChange {
    email: Option<String>,
    username: Option<String>,
    #[schema(example = "Ada Lovelace")]
    full_name: Option<String>,
    phone: Option<String>,
    /// Needed to change the address or the user name.
    current_password: Option<String>,
}

/// `PATCH /users/me`: what others see of an account needs its password to be changed.
pub(crate) async fn change_me(app: &App, request: Request) -> Result<Response, Error> {
    let (id, _) = guards::owner(app, &request).await?;
    let client = ClientContext::of(app, &request)?;
    let mut fields = Fields::read(request)?;
    let email = fields.maybe_text("email", Email::new);
    let username = fields.maybe_text("username", Username::new);
    let full_name = fields.maybe_text("full_name", short);
    let phone = fields.maybe_text("phone", short);
    let password = fields.maybe_text("current_password", Password::presented);
    let values = email.zip(username).zip(full_name.zip(phone)).zip(password);
    let (((email, username), (full_name, phone)), password) = fields.finish(values)?;
    let sign_on = sign_on(app)?;
    let change = Change { email, username, full_name, phone, ..Change::default() };
    let known = match change.names().next() {
        Some(_) => {
            let rule = "is required to change the address or the user name";
            let password = password.ok_or_else(|| Problem::invalid("/current_password", rule))?;
            sign_on.confirm(id, &password, &client.source).await?;
            Some(password)
        }
        None => None,
    };
    let account = sign_on.change_own(id, &change, known.as_ref(), &client.source).await?;
    Ok(responses::account(StatusCode::OK, &account))
}

/// The proof that it is the owner who asks.
#[derive(ToSchema)]
#[allow(dead_code)]
struct Proof {
    current_password: String,
}

/// Delete one's account
///
/// Its sessions and subscriptions end, and its names are forgotten.
#[utoipa::path(
    delete, path = "/users/me", tag = "accounts", operation_id = "deleteOwnAccount",
    request_body = Proof,
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "It is the last active administrator."),
        (status = 429, description = "There were too many attempts with a wrong password."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn delete_me(
    State(app): State<App>,
    Owner { id, .. }: Owner,
    client: ClientContext,
    mut fields: Fields,
) -> Result<Response, Error> {
    let password = fields.text("current_password", Password::presented);
    let password = fields.finish(password)?;
    let sign_on = sign_on(&app)?;
    sign_on.confirm(id, &password, &client.source).await?;
    sign_on.delete(id).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// The old and the new password.
#[derive(ToSchema)]
#[allow(dead_code)]
struct NewPassword {
    current_password: String,
    /// At least 8 characters, and none of the most common passwords.
    new_password: String,
}

/// Change one's password
///
/// It ends every session but this one.
#[utoipa::path(
    post, path = "/auth/password", tag = "accounts", operation_id = "changePassword",
    request_body = NewPassword,
    responses(
        (status = 204, description = "It is changed."),
        (status = 429, description = "There were too many attempts with a wrong password."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn change_password(
    State(app): State<App>,
    Owner { id, caller }: Owner,
    client: ClientContext,
    mut fields: Fields,
) -> Result<Response, Error> {
    let rules = config(&app)?.password_rules;
    let old = fields.text("current_password", Password::presented);
    let new = fields.text("new_password", |text| Password::chosen(text, rules));
    let (old, new) = fields.finish(old.zip(new))?;
    let sign_on = sign_on(&app)?;
    sign_on.confirm(id, &old, &client.source).await?;
    sign_on.set_password(id, &new, Some(&caller.claims.sid)).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
