//! The components that perform jobs, each in its own instances with what it may reach.

use std::time::Duration;

use http::{Method, StatusCode};
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql, ports::CallLimits};
use octo_edge::{Component, component::Unanswered, drained::Drained};

use crate::routes::Desk;

/// Who performs jobs. They are asked one after another: each gets the time it needs, and what is left waits for the
/// next call.
const PERFORMERS: [&str; 1] = ["subscriptions"];

/// Who only removes what is over. Nobody waits for that, so when one cannot, the next call does.
const SWEEPERS: [&str; 1] = ["auth"];

/// A performer stops claiming after some seconds, and a job takes a few at most; together less than the 30 seconds a
/// request may take.
const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(20), max_answer: 16 * 1024 };
/// A sweep is a statement.
const SWEEP_LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(5), ..LIMITS };

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Desk<S, D, K, H, C, E> {
    /// Has all of them perform what is due, for a bounded time.
    pub(crate) async fn perform(&self) -> Result<Drained, Problem> {
        let mut all = Drained::default();
        for name in PERFORMERS {
            let answer =
                self.ask(name, LIMITS).await.map_err(|error| Problem::unavailable().because(error))?;
            all.performed += answer.performed;
            all.failed += answer.failed;
            all.more |= answer.more;
        }
        for name in SWEEPERS {
            all.more |= self.ask(name, SWEEP_LIMITS).await.is_ok_and(|answer| answer.more);
        }
        Ok(all)
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
