//! Accounts and the audit log, for other systems. No route of `spin.toml` leads here from outside, and the key of this
//! application or a service's token is asked for all the same.

use axum::extract::{Path, State};
use http::StatusCode;
use octo_http::{
    App, Error, Response,
    body::Fields,
    extract::{Json, Service},
    respond,
};
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
