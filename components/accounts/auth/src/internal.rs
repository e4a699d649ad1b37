//! Accounts and the audit log, for other systems. No route of `spin.toml` leads here from outside, and the key of this
//! application or a service's token is asked for all the same.

use axum::extract::{Path, State};
use http::StatusCode;
use octo_access::Role;
use octo_http::{
    App, Error, Response,
    body::Fields,
    extract::{Json, Service},
    respond,
};
use octo_identity::sign_on::Introspected;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::guards::{account_id, sign_on};

/// An account, as far as other systems need to know it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Known<'a> {
    id: i64,
    full_name: &'a str,
}

/// See an account
#[utoipa::path(
    get, path = "/internal/accounts/{id}", tag = "internal", operation_id = "getAccountForService",
    params(("id" = i64, Path)), responses((status = 200, body = Known))
)]
pub(crate) async fn account_for_service(
    State(app): State<App>,
    _: Service,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let account = sign_on(&app)?.account(account_id(&id)?).await?;
    Ok(respond::json(StatusCode::OK, &Known { id: account.id, full_name: &account.full_name }))
}

/// Whether an account is an administrator's.
#[derive(Serialize, ToSchema)]
pub(crate) struct Administers {
    is_admin: bool,
}

/// See whether an account is an administrator's
#[utoipa::path(
    get, path = "/internal/administrators/{uuid}", tag = "internal", operation_id = "isAdministrator",
    params(("uuid" = String, Path)), responses((status = 200, body = Administers))
)]
pub(crate) async fn administers(
    State(app): State<App>,
    _: Service,
    Path(uuid): Path<String>,
) -> Result<Response, Error> {
    let account = sign_on(&app)?.account_with_uuid(&uuid).await?;
    let is_admin = account.active && account.grants.role == Role::Admin;
    Ok(respond::json(StatusCode::OK, &Administers { is_admin }))
}

/// What is true of an access token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenState {
    /// It is good.
    Good,
    /// It would be, but its session has ended.
    Ended,
    /// It is none of ours, its time is over, or it is no access token.
    Unknown,
}

/// See why an access token is not good: what nobody outside is told (RFC 7662, section 2.2)
#[utoipa::path(
    post, path = "/internal/tokens", tag = "internal", operation_id = "inspectToken",
    responses((status = 200, body = TokenState))
)]
pub(crate) async fn token_state(
    State(app): State<App>,
    _: Service,
    mut fields: Fields,
) -> Result<Response, Error> {
    let token = fields.text("token", Ok::<_, String>);
    let token = fields.finish(token)?;
    let sign_on = sign_on(&app)?;
    let state = match sign_on.introspect(&token).await? {
        Some(Introspected::Access(_)) => TokenState::Good,
        _ if sign_on.is_access_token(&token).await? => TokenState::Ended,
        _ => TokenState::Unknown,
    };
    Ok(respond::json(StatusCode::OK, &state))
}

/// Note whether a subscription of the account goes on, as of a version
#[utoipa::path(
    put, path = "/internal/accounts/{id}/subscription", tag = "internal", operation_id = "noteSubscribed",
    params(("id" = i64, Path)), responses((status = 204))
)]
pub(crate) async fn note_subscribed(
    State(app): State<App>,
    _: Service,
    Path(id): Path<String>,
    mut fields: Fields,
) -> Result<Response, Error> {
    let id = account_id(&id)?;
    let active = fields.boolean("active");
    let version = fields.whole_number("version");
    let (active, version) = fields.finish(active.zip(version))?;
    sign_on(&app)?.note_subscribed(id, active, version).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// What an administrator is about to do in another component.
#[derive(Deserialize)]
pub(crate) struct Act {
    actor: i64,
    act: String,
    /// What it is done to, in the component's own words.
    #[serde(flatten)]
    subject: Map<String, Value>,
}

/// Note what an administrator is about to do in another component
#[utoipa::path(
    post, path = "/internal/audit", tag = "internal", operation_id = "noteAct", responses((status = 204))
)]
pub(crate) async fn note_act(
    State(app): State<App>,
    _: Service,
    Json(Act { actor, act, subject }): Json<Act>,
) -> Result<Response, Error> {
    sign_on(&app)?.note_act(actor, &act, &Value::Object(subject)).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
