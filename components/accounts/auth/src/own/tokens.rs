//! Tokens, for those who hold or are handed one: revocation (RFC 7009), introspection (RFC 7662), keys (RFC 7517).

use http::StatusCode;
use octo_access::claims::ISSUER;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{Request, Response, form::Form, respond};
use octo_identity::sign_on::Introspected;
use serde_json::json;

use crate::routes::Auth;

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `POST /auth/revoke`. A token that is none, or is no longer good, needs no revocation: 200 as well.
    pub(crate) async fn revoke(&self, request: Request) -> Result<Response, Problem> {
        let form = Form::read(request)?;
        let Some(token) = form.get("token") else { return Ok(no_token()) };
        self.sign_on()?.revoke(token).await?;
        Ok(respond::empty(StatusCode::OK))
    }

    /// `POST /auth/introspect`, for services.
    pub(crate) async fn introspect(&self, request: Request) -> Result<Response, Problem> {
        self.service(&request).await?;
        let form = Form::read(request)?;
        let Some(token) = form.get("token") else { return Ok(no_token()) };
        let body = match self.sign_on()?.introspect(token).await? {
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

    /// `GET /.well-known/jwks.json`
    pub(crate) async fn keys(&self) -> Result<Response, Problem> {
        self.keys_asked_for.set(true);
        Ok(respond::json(StatusCode::OK, &self.sign_on()?.keys().await?))
    }
}

/// RFC 6749, section 5.2.
fn no_token() -> Response {
    let body = json!({
        "error": "invalid_request",
        "error_description": "Send the token as the form field `token`.",
    });
    respond::json(StatusCode::BAD_REQUEST, &body)
}
