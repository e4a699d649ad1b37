//! Who may have work done, and who may look at it.

use http::StatusCode;
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql, settings};
use octo_edge::{
    Request,
    caller::{self, AskAuth},
};
use octo_token::Role;
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
        match self.role(request).await? {
            Role::Admin | Role::Service => Ok(()),
            Role::User => Err(forbidden("A scheduler is needed")),
        }
    }

    /// An administrator.
    pub(crate) async fn administrator(&self, request: &Request) -> Result<(), Problem> {
        match self.role(request).await? {
            Role::Admin => Ok(()),
            Role::User | Role::Service => Err(forbidden("An administrator is needed")),
        }
    }

    async fn role(&self, request: &Request) -> Result<Role, Problem> {
        let token = caller::token(request);
        let caller = caller::authenticate(token, &self.store, &AskAuth(&self.http), &self.clock).await?;
        Ok(caller.claims.role)
    }
}

fn forbidden(title: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", title, "Your account may not do this.")
}
