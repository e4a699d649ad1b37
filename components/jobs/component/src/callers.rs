//! Who may have work done, and who may look at it.

use octo_access::Role;
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql, settings};
use octo_http::{
    Caller, Request,
    caller::{self, AskAuth},
    respond,
};
use subtle::ConstantTimeEq;

use crate::routes::Desk;

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Desk<S, D, K, H, C, E> {
    /// A scheduler, by the key in `jobs_key` if there is one; or a service, or an administrator.
    pub(crate) async fn scheduler(&self, request: &Request) -> Result<(), Problem> {
        let key = settings::text(&self.settings, "jobs_key")?;
        let presented = caller::bearer(request.headers()).unwrap_or("");
        if !key.is_empty() && bool::from(key.as_bytes().ct_eq(presented.as_bytes())) {
            return Ok(());
        }
        match self.caller(request).await?.claims.role {
            Role::Admin | Role::Service => Ok(()),
            Role::User => Err(respond::forbidden("A scheduler is needed")),
        }
    }

    /// An administrator's account number.
    pub(crate) async fn administrator(&self, request: &Request) -> Result<i64, Problem> {
        let claims = self.caller(request).await?.claims;
        match (claims.role, claims.user_id()) {
            (Role::Admin, Some(id)) => Ok(id),
            _ => Err(respond::forbidden("An administrator is needed")),
        }
    }

    async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let token = caller::token(request);
        caller::authenticate(token, &self.store, &AskAuth(&self.http), &self.clock).await
    }
}
