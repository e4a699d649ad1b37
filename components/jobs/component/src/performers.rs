//! The components that perform jobs, each in its own instances with what it may reach.

use std::time::Duration;

use http::{Method, StatusCode};
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql, ports::CallLimits};
use octo_http::{
    Component, Response,
    component::Unanswered,
    drained::Drained,
    exchange::{LogFields, Routine},
};

use crate::routes::Desk;

/// Who performs jobs, and sweeps what it keeps, and how long each may take. They are asked one after another: what is
/// left waits for the next call. A performer stops claiming after some seconds, and a job takes a few at most; together
/// they take less than the 30 seconds that a request may take.
const PERFORMERS: [(&str, Duration); 2] =
    [("subscriptions", Duration::from_secs(19)), ("auth", Duration::from_secs(8))];

/// Largest answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Desk<S, D, K, H, C, E> {
    /// Has all of them perform what is due, for a bounded time. One that does not answer keeps the others from nothing.
    pub(crate) async fn perform(&self) -> Result<Response, Problem> {
        let (mut all, mut silent) = (Drained::default(), Vec::new());
        for (name, timeout) in PERFORMERS {
            match self.ask(name, CallLimits { timeout, max_answer: MAX_ANSWER }).await {
                Ok(answer) => {
                    all.performed += answer.performed;
                    all.failed += answer.failed;
                    all.more |= answer.more;
                }
                Err(error) => silent.push(error.to_string()),
            }
        }
        if silent.len() == PERFORMERS.len() {
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

    async fn ask(&self, performer: &'static str, limits: CallLimits) -> Result<Drained, Unanswered> {
        let component = self.component(performer);
        let answer = component.ask(Method::POST, "/internal/jobs/drain", "", limits).await?;
        if answer.status() != StatusCode::OK {
            return Err(component.unanswered(answer.status()));
        }
        serde_json::from_slice(answer.body()).map_err(|error| component.unanswered(error))
    }

    /// Another component of this application.
    pub(crate) fn component(&self, name: &'static str) -> Component<'_, K, H, E> {
        Component { name, store: &self.store, http: &self.http, entropy: &self.entropy }
    }
}
