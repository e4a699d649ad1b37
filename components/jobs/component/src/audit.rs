//! What administrators do is in the audit log, which `auth` has.

use std::time::Duration;

use http::{Method, StatusCode};
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql, ports::CallLimits};
use serde_json::json;

use crate::routes::Desk;

const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(5), max_answer: 16 * 1024 };

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Desk<S, D, K, H, C, E> {
    /// Notes what an administrator is about to do to a dead letter: no act without its entry.
    pub(crate) async fn note(&self, actor: i64, act: &str, dead_letter: i64) -> Result<(), Problem> {
        let entry = json!({ "actor": actor, "act": act, "dead_letter": dead_letter }).to_string();
        let auth = self.component("auth");
        let away = |reason| Problem::unavailable().because(reason);
        let answer = auth.ask(Method::POST, "/internal/audit", &entry, LIMITS).await.map_err(away)?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(away(auth.unanswered(status))),
        }
    }
}
