//! The components that carry out jobs, each in its own instances with what it may reach.

use std::time::Duration;

use futures::future::join_all;
use http::{Method, StatusCode};
use octo_core::{Problem, ports::CallLimits};
use octo_http::{
    App, Response,
    component::Unanswered,
    drained::Drained,
    exchange::{LogFields, Routine},
};

/// Who carries out jobs, and sweeps what it keeps. All are asked at the same time, so one that is slow or away costs the
/// others nothing. A new system that has jobs adds itself here.
const WORKERS: [&str; 6] = ["subscriptions", "delivery", "loyalty", "orders", "webhooks", "auth"];

/// A worker stops taking jobs after some seconds, and a job takes a few at most. Together they take less than the 30
/// seconds that a request may take.
const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(20), max_answer: 16 * 1024 };

/// Has all of them carry out what is due.
pub(crate) async fn drain(app: &App) -> Result<Response, Problem> {
    let (mut all, mut silent) = (Drained::default(), Vec::new());
    for result in join_all(WORKERS.map(|worker| ask(app, worker))).await {
        match result {
            Ok(drained) => {
                all.performed += drained.performed;
                all.failed += drained.failed;
                all.more |= drained.more;
            }
            Err(error) => silent.push(error.to_string()),
        }
    }
    if silent.len() == WORKERS.len() {
        return Err(Problem::unavailable().because(silent.join("; ")));
    }
    let mut response = all.into_response();
    if !silent.is_empty() {
        let extensions = response.extensions_mut();
        extensions.remove::<Routine>();
        extensions.insert(LogFields::default().with("unanswered", silent));
    }
    Ok(response)
}

async fn ask(app: &App, worker: &'static str) -> Result<Drained, Unanswered> {
    let component = app.component(worker);
    let response = component.ask(Method::POST, "/internal/jobs/drain", "", LIMITS).await?;
    if response.status() != StatusCode::OK {
        return Err(component.unanswered(response.status()));
    }
    serde_json::from_slice(response.body()).map_err(|error| component.unanswered(error))
}
