//! What the run command and the scheduler ask for. No route of `spin.toml` leads here from outside.

use std::time::Duration;

use axum::extract::State;
use http::StatusCode;
use octo_core::Problem;
use octo_http::{
    App, Error, Response,
    drained::Drained,
    exchange::{LogFields, Routine},
    extract::Service,
    respond,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::guards::{check_settings, sign_on};

/// How long one request for it does what is due.
const DRAINED_FOR: Duration = Duration::from_secs(3);

/// What the person who starts Octo should know.
#[derive(Serialize, ToSchema)]
#[schema(as = AuthStart)]
pub(crate) struct Start {
    /// Accounts that `legacy_rules` made administrators, and that are none now.
    administrators_without_right: i64,
}

/// Check the variables, and say what there is to know at a start
#[utoipa::path(
    get, path = "/internal/settings", tag = "internal", operation_id = "checkAuthSettings",
    responses((status = 200, body = Start))
)]
pub(crate) async fn settings(State(app): State<App>) -> Result<Response, Error> {
    // Only who has started the application reads this: it may name the variable.
    check_settings(&app.settings).map_err(|error| {
        let detail = error.to_string();
        Problem { detail, ..Problem::from(error) }
    })?;
    let administrators_without_right = sign_on(&app)?.administrators_without_right().await?;
    Ok(respond::json(StatusCode::OK, &Start { administrators_without_right }))
}

/// Carry out the jobs that wait
#[utoipa::path(
    post, path = "/internal/jobs/drain", tag = "internal", operation_id = "drainAuthJobs",
    responses((status = 200, body = Drained))
)]
pub(crate) async fn drain(State(app): State<App>, _: Service) -> Result<Response, Error> {
    let upkeep = sign_on(&app)?.upkeep(app.clock.now() + DRAINED_FOR).await?;
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
