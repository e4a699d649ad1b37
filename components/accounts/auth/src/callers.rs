//! Who sends a request, and whether they may.

use octo_access::Role;
use octo_core::async_trait;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{
    Caller, Request, ServiceKey,
    caller::{self, KeySource, NoKeys},
    respond,
};

use crate::routes::Auth;

/// The component whose service key callers of ours send.
const CALLEE: &str = "auth";

/// The keys are here: no other component has to be asked.
#[async_trait]
impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> KeySource for Auth<S, D, K, C, E> {
    async fn jwks(&self) -> Result<Vec<u8>, NoKeys> {
        let keys = self.sign_on().map_err(|_| NoKeys::Now)?.keys().await.map_err(|_| NoKeys::Now)?;
        Ok(keys.to_string().into_bytes())
    }
}

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// Whoever has an accepted token.
    pub(crate) async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        caller::authenticate(caller::token(request), &self.store, self, &self.clock).await
    }

    /// The same, with the number of their account.
    pub(crate) async fn owner(&self, request: &Request) -> Result<(i64, Caller), Problem> {
        let caller = self.caller(request).await?;
        let id = caller.claims.user_id().ok_or_else(respond::not_found)?;
        Ok((id, caller))
    }

    /// An administrator's account number.
    pub(crate) async fn administrator(&self, request: &Request) -> Result<i64, Problem> {
        let (id, caller) = self.owner(request).await?;
        // What a token says was true when it was signed, and what a record says when it was written.
        match caller.claims.role {
            Role::Admin if self.sign_on()?.is_administrator(id).await? => Ok(id),
            _ => Err(respond::forbidden("An administrator is needed")),
        }
    }

    /// A system that works with accounts: another component of this application, by the key they share, or an
    /// account with the role `service` or `admin`.
    pub(crate) async fn service(&self, request: &Request) -> Result<(), Problem> {
        if let Some(presented) = caller::bearer(request.headers())
            && !presented.contains('.')
            && ServiceKey::new(&self.store, CALLEE).accepts(presented).await?
        {
            return Ok(());
        }
        match self.caller(request).await?.claims.role {
            Role::Admin | Role::Service => Ok(()),
            Role::User => Err(respond::forbidden("A service is needed")),
        }
    }
}
