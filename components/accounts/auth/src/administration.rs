//! Accounts, for administrators.

use axum::extract::{Path, State};
use http::StatusCode;
use octo_access::Role;
use octo_core::Problem;
use octo_http::{
    App, Error, Items, Page, Request, Response, body::Fields, page::PageParams, query::Query, respond,
};
use octo_identity::{
    accounts::{Account, Change, Field, Search},
    text::nfc,
};
use utoipa::ToSchema;

use crate::{
    guards::{self, Administrator, account_id, administrator, sign_on},
    responses::{self, AccountBody, EntryBody, SessionBody},
    sessions,
};

/// See the accounts
///
/// All, or those whose `email` or `username` begins so.
#[utoipa::path(
    get, path = "/users", tag = "administration", operation_id = "listUsers",
    params(
        PageParams,
        ("email" = Option<String>, Query, description = "The beginning of the address."),
        ("username" = Option<String>, Query, description = "The beginning of the user name; not together with `email`."),
    ),
    responses((status = 200, description = "A page of them.", body = Items<AccountBody>)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn users(
    State(app): State<App>,
    _: Administrator,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let search = match (query.get("email"), query.get("username")) {
        (None, None) => Search::All { after: page.after_number()? },
        (Some(prefix), None) => names(&page, Field::Email, prefix),
        (None, Some(prefix)) => names(&page, Field::Username, prefix),
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("/username", "cannot be searched together with `email`").into());
        }
    };
    let found = sign_on(&app)?.accounts_page(&search, page.limit).await?;
    let place = |account: &Account| place(&search, account);
    Ok(respond::json(StatusCode::OK, &page.items(&found, AccountBody::from, place)))
}

/// `GET /users/{id}`
pub(crate) async fn user(app: &App, request: Request, id: &str) -> Result<Response, Error> {
    acting(app, &request).await?;
    Ok(responses::account(StatusCode::OK, &sign_on(app)?.account(account_id(id)?).await?))
}

/// What an administrator may change of an account.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct GrantsChange {
    /// `user`, `admin` or `service`.
    #[schema(example = "user")]
    role: Option<String>,
    paid_access: Option<bool>,
    /// An account that is not active cannot log in.
    active: Option<bool>,
    verified: Option<bool>,
}

/// `PATCH /users/{id}`
pub(crate) async fn change_user(app: &App, request: Request, id: &str) -> Result<Response, Error> {
    let actor = acting(app, &request).await?;
    let id = account_id(id)?;
    let mut fields = Fields::read(request)?;
    let role = fields.maybe_text("role", |text| {
        Role::named(&text).ok_or_else(|| "must be `user`, `admin` or `service`".to_owned())
    });
    let paid_access = fields.maybe_boolean("paid_access");
    let active = fields.maybe_boolean("active");
    let verified = fields.maybe_boolean("verified");
    let values = role.zip(paid_access).zip(active.zip(verified));
    let ((role, paid_access), (active, verified)) = fields.finish(values)?;
    let change = Change { role, paid_access, active, verified, ..Change::default() };
    if change == Change::default() {
        return Err(Problem::invalid("", "must have `role`, `paid_access`, `active` or `verified`").into());
    }
    Ok(responses::account(StatusCode::OK, &sign_on(app)?.change_as(actor, id, &change).await?))
}

/// `DELETE /users/{id}`
pub(crate) async fn delete_user(app: &App, request: Request, id: &str) -> Result<Response, Error> {
    let actor = acting(app, &request).await?;
    sign_on(app)?.delete_as(actor, account_id(id)?).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// The administrator who sends the request.
async fn acting(app: &App, request: &Request) -> Result<i64, Error> {
    let (id, caller) = guards::owner(app, request).await?;
    administrator(app, id, &caller).await
}

/// See the sessions of an account
#[utoipa::path(
    get, path = "/users/{id}/sessions", tag = "administration", operation_id = "listUserSessions",
    params(("id" = i64, Path, description = "The account's number.", minimum = 0), PageParams),
    responses(
        (status = 200, description = "A page of them.", body = Items<SessionBody>),
        (status = 404, description = "There is no such account."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn user_sessions(
    State(app): State<App>,
    _: Administrator,
    Path(id): Path<String>,
    page: Page,
) -> Result<Response, Error> {
    sessions::list(&app, &page, account_id(&id)?, "").await
}

/// End the sessions of an account
#[utoipa::path(
    delete, path = "/users/{id}/sessions", tag = "administration", operation_id = "endUserSessions",
    params(("id" = i64, Path, description = "The account's number.", minimum = 0)),
    responses(
        (status = 204, description = "They are over."),
        (status = 404, description = "There is no such account."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn end_user_sessions(
    State(app): State<App>,
    Administrator(actor): Administrator,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    sign_on(&app)?.end_all_sessions_as(actor, account_id(&id)?).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// Replace the signing key
///
/// The new key signs in an hour. The response is the set that is published from now on.
#[utoipa::path(
    post, path = "/auth/keys", tag = "administration", operation_id = "replaceKey",
    responses(
        (status = 202, description = "The published keys (RFC 7517).", body = serde_json::Value),
        (status = 409, description = "The key comes from a variable."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn replace_key(
    State(app): State<App>,
    Administrator(actor): Administrator,
) -> Result<Response, Error> {
    Ok(respond::json(StatusCode::ACCEPTED, &sign_on(&app)?.replace_key_as(actor).await?))
}

/// See what administrators did
///
/// Oldest first.
#[utoipa::path(
    get, path = "/auth/audit", tag = "administration", operation_id = "listAudit",
    params(PageParams, ("user" = Option<i64>, Query, description = "Only what was done to this account.")),
    responses((status = 200, description = "A page of it.", body = Items<EntryBody>)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn audit(
    State(app): State<App>,
    _: Administrator,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let log = sign_on(&app)?.audit(query.number("user")?, page.after_number()?, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&log, EntryBody::from, |entry| entry.id)))
}

/// Where an account stands in what was searched for.
fn place(search: &Search, account: &Account) -> String {
    match search {
        Search::All { .. } => account.id.to_string(),
        Search::Names { field: Field::Email, .. } => account.email.clone().unwrap_or_default(),
        Search::Names { field: Field::Username, .. } => account.username.clone().unwrap_or_default(),
    }
}

/// Those whose name begins with `prefix`.
fn names(page: &Page, field: Field, prefix: &str) -> Search {
    let after = page.after().unwrap_or("").to_owned();
    Search::Names { field, prefix: nfc(&prefix.trim().to_lowercase()).into_owned(), after }
}
