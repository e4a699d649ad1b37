//! Who sends a request, and whose subscriptions are theirs to see and to change.

use http::{StatusCode, header};
use octo_access::Role;
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql};
use octo_http::{
    Caller, Request, ServiceKey,
    caller::{self, AskAuth},
};
use octo_subscriptions::{Authority, Config};

use crate::routes::Service;

/// The component whose service key callers of ours send.
const CALLEE: &str = "subscriptions";

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Service<S, D, K, H, C, E> {
    /// Whoever has an accepted token.
    pub(crate) async fn caller(&self, request: &Request) -> Result<(Caller, Authority), Problem> {
        let token = caller::token(request);
        let caller = caller::authenticate(token, &self.store, &AskAuth(&self.http), &self.clock).await?;
        let authority = match (caller.claims.role, caller.claims.user_id()) {
            (Role::Admin, _) => Authority::Everybody,
            (Role::User | Role::Service, Some(id)) => Authority::Own(id),
            // Tokens of ours have the number of an account.
            (Role::User | Role::Service, None) => {
                return Err(Problem::internal().because("a token without a number"));
            }
        };
        Ok((caller, authority))
    }

    /// The same, where the original's clients, who have no token, may do everything under its rules. With it the name
    /// that the caller's keys go by: all who have no token are one.
    pub(crate) async fn caller_of_original(
        &self,
        request: &Request,
        config: &Config,
    ) -> Result<(String, Authority), Problem> {
        if config.legacy_rules && caller::token(request).is_none() {
            return Ok((String::new(), Authority::Everybody));
        }
        let (caller, authority) = self.caller(request).await?;
        Ok((caller.claims.sub, authority))
    }

    /// Another component of this application, by the key they share.
    pub(crate) async fn component(&self, request: &Request) -> Result<(), Problem> {
        let presented = caller::bearer(request.headers()).unwrap_or("");
        if ServiceKey::new(&self.store, CALLEE).accepts(presented).await? {
            return Ok(());
        }
        let title = "The key of this application is needed";
        let detail = "This is for other components of this application.";
        Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
            .header(header::WWW_AUTHENTICATE, r#"Bearer realm="octo""#))
    }
}
