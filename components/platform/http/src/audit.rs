//! What administrators do is in the audit log, which `auth` has.

use std::time::Duration;

use http::{Method, StatusCode};
use octo_core::{Problem, ports::CallLimits};
use serde_json::{Map, Value, json};

use crate::App;

const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(5), max_answer: 16 * 1024 };

/// Notes what the administrator with this number is about to do, and to what: no act without its entry.
///
/// # Errors
/// When it cannot be noted; then it must not be done.
pub async fn note(app: &App, actor: i64, act: &str, subject: &[(&str, Value)]) -> Result<(), Problem> {
    let subject = subject.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut entry: Map<String, Value> = subject.collect();
    entry.insert("actor".to_owned(), json!(actor));
    entry.insert("act".to_owned(), json!(act));
    let auth = app.component("auth");
    let away = |reason| Problem::unavailable().because(reason);
    let entry = Value::Object(entry).to_string();
    let response = auth.ask(Method::POST, "/internal/audit", &entry, LIMITS).await.map_err(away)?;
    match response.status() {
        StatusCode::NO_CONTENT => Ok(()),
        status => Err(away(auth.unanswered(status))),
    }
}
