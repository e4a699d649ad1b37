//! When a provider is left alone: after a refusal, and after failures in a row.
//!
//! One deadline stands for both. Nobody calls before it; afterwards a single **probe**, a real message, does,
//! and its answer opens the provider for all. A probe that gives no result closes it again at once, for
//! longer each time. The probe holds a lease, which is the same deadline moved on, so that one that crashes
//! is replaced.
//!
//! The rules know nothing of stores, windows and who calls; [`gate`] keeps them in a key-value store.

pub mod shared;

use std::time::Duration;

use octo_core::UnixMillis;
use serde::{Deserialize, Serialize};

pub use shared::{BreakerState, Pass, Permit, SharedBreaker};

/// This many calls in a row without a result close a provider.
pub const FAILURES: i64 = 5;
/// For how long at first; twice as long after each failed probe.
pub const COOL_DOWN: Duration = Duration::from_secs(5);
/// It is never closed for longer than this because of failures.
pub const LONGEST_COOL_DOWN: Duration = Duration::from_secs(60);

/// Why a provider is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It refused a call.
    #[default]
    Refused,
    /// It gave no result several times in a row.
    Failing,
}

/// What is remembered of a provider's refusals and failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Nobody calls before this time; afterwards a single probe does. `None` while everybody may.
    pub until: Option<UnixMillis>,
    /// Why.
    pub cause: Cause,
    /// Calls in a row without a result; those that end while the provider is closed are not counted, but for
    /// probes.
    pub failures: i64,
}

impl Breaker {
    /// The provider refused a call and is to be left alone until then. The later of two deadlines stands.
    pub fn refused(&mut self, until: UnixMillis) {
        // A refusal is an answer.
        self.failures = 0;
        if self.until.is_none_or(|known| known < until) {
            (self.until, self.cause) = (Some(until), Cause::Refused);
        }
    }

    /// A call ended at `now` without a result. `probe`: it holds the lease.
    pub fn failed(&mut self, probe: bool, now: UnixMillis) {
        match (probe, self.until) {
            (true, _) => self.failures = (self.failures + 1).max(FAILURES),
            (false, None) => self.failures += 1,
            // Sent before it was closed: tells nothing new.
            (false, Some(_)) => return,
        }
        if self.failures >= FAILURES {
            (self.until, self.cause) = (Some(now + cool_down(self.failures)), Cause::Failing);
        }
    }

    /// The provider answered. `probe`: to the call that holds the lease.
    pub fn answered(&mut self, probe: bool) {
        self.failures = 0;
        if probe {
            self.until = None;
        }
    }

    /// The provider refused the message of a call, which says nothing of others: only a probe learns from it, that
    /// the provider is there.
    pub fn rejected(&mut self, probe: bool) {
        if probe {
            self.answered(probe);
        }
    }

    /// A call that passed was not made at `now`, for no fault of the provider's. `probe`: it held the lease,
    /// so that another must probe.
    pub fn unused(&mut self, probe: bool, now: UnixMillis) {
        if probe {
            self.until = Some(now);
        }
    }

    /// Whether a refusal is known that still stands at `now`.
    pub fn refuses(&self, now: UnixMillis) -> bool {
        self.cause == Cause::Refused && self.until.is_some_and(|until| now < until)
    }
}

/// How long a provider is left alone after so many failures in a row.
fn cool_down(failures: i64) -> Duration {
    let doublings = u32::try_from(failures - FAILURES).unwrap_or(0).min(16);
    (COOL_DOWN * 2_u32.pow(doublings)).min(LONGEST_COOL_DOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn failing(calls: usize) -> Breaker {
        let mut breaker = Breaker::default();
        (0..calls).for_each(|_| breaker.failed(false, NOW));
        breaker
    }

    #[test]
    fn the_fifth_failure_in_a_row_closes_for_five_seconds() {
        assert_eq!(failing(4).until, None);
        assert_eq!(failing(5).until, Some(NOW + COOL_DOWN));
        assert_eq!(failing(5).cause, Cause::Failing);
        assert_eq!(failing(64), failing(5), "calls sent before it closed add nothing");
    }

    #[test]
    fn a_call_that_was_not_made_says_nothing_but_lets_another_probe() {
        let mut breaker = failing(4);
        breaker.unused(false, NOW);
        assert_eq!(breaker, failing(4));
        let mut breaker = failing(5);
        breaker.unused(true, NOW);
        assert_eq!(breaker, Breaker { until: Some(NOW), ..failing(5) });
    }

    #[test]
    fn a_message_that_is_refused_neither_counts_nor_takes_failures_back_but_a_probe_opens() {
        let mut breaker = failing(4);
        (0..1_000).for_each(|_| breaker.rejected(false));
        assert_eq!(breaker, failing(4));
        let mut breaker = failing(5);
        breaker.rejected(false);
        assert_eq!(breaker, failing(5));
        breaker.rejected(true);
        assert_eq!(breaker.until, None);
    }

    #[test]
    fn an_answer_or_a_refusal_between_them_starts_the_row_anew() {
        let mut breaker = failing(4);
        breaker.answered(false);
        breaker.failed(false, NOW);
        assert_eq!((breaker.until, breaker.failures), (None, 1));
        breaker.refused(NOW + SECOND);
        assert_eq!(breaker.failures, 0);
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_a_minute() {
        let mut breaker = failing(5);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            breaker.until = Some(NOW + 7 * SECOND);
            breaker.failed(true, NOW);
            pauses.push(breaker.until.unwrap().since(NOW).as_secs());
        }
        assert_eq!(pauses, [10, 20, 40, 60, 60, 60]);
        breaker.answered(true);
        assert_eq!(breaker, Breaker { cause: Cause::Failing, ..Breaker::default() });
    }

    #[test]
    fn the_later_deadline_stands_with_its_cause() {
        let mut breaker = failing(5);
        breaker.refused(NOW + SECOND);
        assert_eq!((breaker.until, breaker.cause), (Some(NOW + COOL_DOWN), Cause::Failing));
        breaker.refused(NOW + 9 * SECOND);
        assert_eq!((breaker.until, breaker.cause), (Some(NOW + 9 * SECOND), Cause::Refused));
    }

    #[test]
    fn a_failed_probe_after_a_refusal_pauses_at_once() {
        let mut breaker = Breaker::default();
        breaker.refused(NOW);
        breaker.failed(true, NOW);
        assert_eq!((breaker.until, breaker.cause), (Some(NOW + COOL_DOWN), Cause::Failing));
    }
}
