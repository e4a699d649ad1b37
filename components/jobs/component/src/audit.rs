//! What administrators do is in the audit log, which `auth` has.

use std::time::Duration;

use http::{Method, StatusCode};
use octo_core::{Problem, ports::CallLimits};
use octo_http::App;
use serde_json::json;

const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(5), max_answer: 16 * 1024 };

/// Notes what an administrator is about to do to a dead letter: no act without its entry.
pub(crate) async fn note(app: &App, actor: i64, act: &str, dead_letter: i64) -> Result<(), Problem> {
    let entry = json!({ "actor": actor, "act": act, "dead_letter": dead_letter }).to_string();
    let auth = app.component("auth");
    let away = |reason| Problem::unavailable().because(reason);
    let response = auth.ask(Method::POST, "/internal/audit", &entry, LIMITS).await.map_err(away)?;
    match response.status() {
        StatusCode::NO_CONTENT => Ok(()),
        status => Err(away(auth.unanswered(status))),
    }
}
