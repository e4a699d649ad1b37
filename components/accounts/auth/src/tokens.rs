//! Tokens, for those who hold or are handed one: revocation (RFC 7009), introspection (RFC 7662), keys (RFC 7517).

use axum::extract::State;
use http::{HeaderMap, StatusCode, header};
use octo_access::{claims::ISSUER, record::JWKS_KEY};
use octo_core::{KeyValue, Settings};
use octo_http::{
    App, Error, Response,
    extract::{Service, Whole},
    form::Form,
    request_metrics::Uncounted,
    respond,
};
use octo_identity::sign_on::Introspected;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::guards::sign_on;

/// A token.
#[derive(ToSchema)]
#[allow(dead_code)]
struct TokenForm {
    /// An access or a refresh token.
    token: String,
}

/// Why a token cannot be judged (RFC 6749, section 5.2).
#[derive(ToSchema)]
#[allow(dead_code)]
struct OAuthError {
    #[schema(example = "invalid_request")]
    error: String,
    error_description: String,
}

/// Revoke a token
///
/// After RFC 7009. One that is no token, or no longer good, needs no revocation: 200 as well.
#[utoipa::path(
    post, path = "/auth/revoke", tag = "tokens", operation_id = "revokeToken",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It is good no longer."),
        (status = 400, description = "There is no token in the form.", body = OAuthError),
    )
)]
pub(crate) async fn revoke(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let form = Form::read(request)?;
    let Some(token) = form.get("token") else { return Ok(no_token()) };
    sign_on(&app)?.revoke(token).await?;
    Ok(respond::empty(StatusCode::OK))
}

/// Judge a token
///
/// After RFC 7662, for services.
#[utoipa::path(
    post, path = "/auth/introspect", tag = "tokens", operation_id = "introspectToken",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Whether it is good, and whose it is.", body = Value,
         example = json!({ "active": false })),
        (status = 400, description = "There is no token in the form.", body = OAuthError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn introspect(
    State(app): State<App>,
    _: Service,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let form = Form::read(request)?;
    let Some(token) = form.get("token") else { return Ok(no_token()) };
    let body = match sign_on(&app)?.introspect(token).await? {
        None => json!({ "active": false }),
        Some(Introspected::Access(claims)) => json!({
            "active": true,
            "token_type": "Bearer",
            "iss": claims.iss,
            "sub": claims.sub,
            "aud": claims.aud,
            "iat": claims.iat,
            "exp": claims.exp,
            "jti": claims.jti,
            "sid": claims.sid,
            "role": claims.role,
            "paid_access": claims.paid_access,
        }),
        Some(Introspected::Refresh { account, session, expires_at }) => json!({
            "active": true,
            "token_type": "refresh_token",
            "iss": ISSUER,
            "sub": account.to_string(),
            "exp": expires_at.as_secs(),
            "sid": session,
        }),
    };
    Ok(respond::json(StatusCode::OK, &body))
}

/// Get the public keys
///
/// They verify access tokens (RFC 7517).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens", operation_id = "getKeys",
    responses((status = 200, description = "The key set.", body = Value))
)]
pub(crate) async fn keys(State(app): State<App>, headers: HeaderMap) -> Result<Response, Error> {
    let mut response = match published(&app, &headers).await {
        Some(set) => respond::json(StatusCode::OK, &set),
        None => {
            let set = sign_on(&app)?.keys().await?;
            let response = respond::json(StatusCode::OK, &set);
            // After the response: the store may be away, and then nobody should wait for it. The next who asks tries
            // again.
            let own = app.clone();
            app.after.run(async move {
                if let Ok(sign_on) = sign_on(&own) {
                    let _unpublished = sign_on.publish(&set).await;
                }
            });
            response
        }
    };
    response.extensions_mut().insert(Uncounted);
    Ok(response)
}

/// The key set as the store has it: what somebody who verifies tokens needs, for no key signs before it is there.
///
/// Not for one who wants it fresh, as a component does that did not find the key it needs (`Cache-Control: no-cache`); not
/// where variables give the keys, which may have changed since; and not while there are several, for an old one goes when its
/// time has come, and nobody publishes that.
async fn published(app: &App, headers: &HeaderMap) -> Option<Published> {
    let fresh = headers.get_all(header::CACHE_CONTROL).iter().any(|value| value == "no-cache");
    let given = |name: &str| app.settings.alone(name).is_none_or(|key| !key.is_empty());
    if fresh || given("signing_key") || given("published_key") {
        return None;
    }
    let set: Published = serde_json::from_slice(&app.store.get(JWKS_KEY).await.ok()??).ok()?;
    (set.keys.len() == 1).then_some(set)
}

/// A key set in the store.
#[derive(Serialize, Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// RFC 6749, section 5.2.
fn no_token() -> Response {
    let body = json!({
        "error": "invalid_request",
        "error_description": "Send the token as the form field `token`.",
    });
    respond::json(StatusCode::BAD_REQUEST, &body)
}
