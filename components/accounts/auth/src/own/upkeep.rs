//! What the run command and the scheduler ask for. No route of `spin.toml` leads here from outside.

use std::time::Duration;

use http::StatusCode;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{
    Request, Response,
    drained::Drained,
    exchange::{LogFields, Routine},
    respond,
};
use serde::Serialize;

use crate::routes::Auth;

/// How long one request for it does what is due.
const DRAINED_FOR: Duration = Duration::from_secs(3);

/// What the person who starts Octo should know.
#[derive(Serialize)]
struct Start {
    /// Accounts that `legacy_rules` made administrators, and that are none now.
    administrators_without_right: i64,
}

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `GET /internal/settings`: whether it can work with the variables, and what there is to know at a start.
    pub(crate) async fn settings(&self) -> Result<Response, Problem> {
        let administrators_without_right = self.sign_on()?.administrators_without_right().await?;
        Ok(respond::json(StatusCode::OK, &Start { administrators_without_right }))
    }

    /// `POST /internal/jobs/drain`
    pub(crate) async fn drain(&self, request: Request) -> Result<Response, Problem> {
        self.service(&request).await?;
        let upkeep = self.sign_on()?.upkeep(self.clock.now() + DRAINED_FOR).await?;
        let octo_jobs::Drained { performed, failed, more } = upkeep.drained;
        let mut response = Drained { performed, failed, more }.into_response();
        if upkeep.lowered > 0 {
            let extensions = response.extensions_mut();
            extensions.remove::<Routine>();
            let notice = "legacy_rules is off: administrators by their user name have no such right";
            let fields = LogFields::default().with("notice", notice).with("sessions", upkeep.lowered);
            extensions.insert(fields);
        }
        Ok(response)
    }
}
