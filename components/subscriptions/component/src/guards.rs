//! Whose subscriptions a caller may see and change.

use axum::extract::FromRequestParts;
use http::request::Parts;
use octo_access::Role;
use octo_core::Problem;
use octo_http::{App, Caller, Error, caller};
use octo_subscriptions::{Authority, Config};

/// A caller with an accepted token.
pub(crate) struct Authorized {
    pub(crate) caller: Caller,
    pub(crate) authority: Authority,
}

impl FromRequestParts<App> for Authorized {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let authority = match (caller.claims.role, caller.claims.user_id()) {
            (Role::Admin, _) => Authority::Everybody,
            (Role::User | Role::Service, Some(id)) => Authority::Own(id),
            // Tokens of ours have the number of an account.
            (Role::User | Role::Service, None) => {
                return Err(Problem::internal().because("a token without a number").into());
            }
        };
        Ok(Self { caller, authority })
    }
}

/// A client of the original's routes: a caller as above, or under `legacy_rules` anybody without a token, who may do
/// everything.
pub(crate) struct OriginalClient {
    /// The name that the client's idempotency keys go by: all who have no token are one.
    pub(crate) name: String,
    pub(crate) authority: Authority,
}

impl FromRequestParts<App> for OriginalClient {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let legacy_rules = Config::read(&app.settings)?.legacy_rules;
        if legacy_rules && caller::token(&parts.method, &parts.headers).is_none() {
            return Ok(Self { name: String::new(), authority: Authority::Everybody });
        }
        let Authorized { caller, authority } = Authorized::from_request_parts(parts, app).await?;
        Ok(Self { name: caller.claims.sub, authority })
    }
}
