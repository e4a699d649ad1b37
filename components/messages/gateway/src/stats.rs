//! What became of the messages: counts for people, in a window and in all.
//!
//! What is counted is of a few fixed [`Kind`]s, so that stores can keep each under its number.
//! Messages that never reached the counter's store are counted nowhere.

use std::collections::BTreeMap;

use octo_core::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::routing::Reason;

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsEvent {
    /// The end it came to.
    pub fate: MessageOutcome,
    /// Whether it waited in line for a free slot.
    pub waited: bool,
}

/// The ends a message can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageOutcome {
    /// The free provider processed it.
    Free,
    /// The paid provider processed it, for this reason.
    Paid(Reason),
    /// No provider was asked to process it, for this reason, and the sender may not pay.
    Refused(Reason),
    /// The providers that were asked gave no result; the reason is that for asking the last of them.
    Failed(Reason),
}

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message that even a caller with perfect knowledge could not have sent free.
    Oracle,
    /// A refusal by the free provider.
    Blocked,
    /// A message that waited in line.
    Waited,
    /// A message that came to this end.
    Outcome(MessageOutcome),
}

/// Every reason, in the order of their numbers in stores: add new ones at the end.
pub const REASONS: [Reason; 7] = [
    Reason::FreeAvailable,
    Reason::FreeExhausted,
    Reason::FreeBlocked,
    Reason::FreeFailing,
    Reason::FreeFailed,
    Reason::AllowanceUsed,
    Reason::CounterUnavailable,
];
/// The ends that have reasons, in that order too: a reason's ends stand together.
const ENDS: [fn(Reason) -> MessageOutcome; 3] =
    [MessageOutcome::Paid, MessageOutcome::Refused, MessageOutcome::Failed];
const WITHOUT_REASON: [Kind; 4] =
    [Kind::Oracle, Kind::Blocked, Kind::Waited, Kind::Outcome(MessageOutcome::Free)];

impl Kind {
    /// Everything that is counted; the index is the number in stores.
    pub fn all() -> impl Iterator<Item = Self> {
        let with_reason = REASONS.into_iter().flat_map(|reason| ENDS.map(|end| Self::Outcome(end(reason))));
        WITHOUT_REASON.into_iter().chain(with_reason)
    }

    /// How many there are.
    pub const KINDS: usize = WITHOUT_REASON.len() + REASONS.len() * ENDS.len();

    /// Its number.
    pub fn number(self) -> usize {
        Self::all().position(|kind| kind == self).unwrap_or(Self::KINDS)
    }
}

impl StatsEvent {
    /// What it adds one to.
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        self.waited.then_some(Kind::Waited).into_iter().chain([Kind::Outcome(self.fate)])
    }
}

/// Counts over a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Messages the free provider processed.
    pub free: i64,
    /// Messages the paid provider processed, by reason.
    pub paid: BTreeMap<Reason, i64>,
    /// Messages sent away, by reason.
    pub refused: BTreeMap<Reason, i64>,
    /// Messages that no provider gave a result for, by reason.
    pub failed: BTreeMap<Reason, i64>,
    /// How often the free provider refused a call.
    pub blocked: i64,
    /// Messages that waited in line.
    pub waited: i64,
    /// Messages that a caller with perfect knowledge of the provider could not have sent free either.
    pub oracle: i64,
}

/// The counts of one window of length P, aligned to the clock whatever the provider's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowStats {
    /// When it began.
    pub starts_at: UnixMillis,
    /// What became of its messages.
    pub counts: Counts,
}

/// What became of the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// The latest windows with messages, newest first.
    pub windows: Vec<WindowStats>,
    /// Since counting began, these windows included.
    pub total: Counts,
    /// Messages in line now.
    pub waiting: i64,
}

impl Counts {
    /// Counts from their numbers' values, as stores keep them.
    pub fn from_numbers(values: &[i64]) -> Self {
        let mut counts = Self::default();
        for (kind, times) in Kind::all().zip(values) {
            counts.add(kind, *times);
        }
        counts
    }

    /// Counts something so many times.
    pub fn add(&mut self, kind: Kind, times: i64) {
        if times == 0 {
            return;
        }
        *match kind {
            Kind::Oracle => &mut self.oracle,
            Kind::Blocked => &mut self.blocked,
            Kind::Waited => &mut self.waited,
            Kind::Outcome(MessageOutcome::Free) => &mut self.free,
            Kind::Outcome(MessageOutcome::Paid(reason)) => self.paid.entry(reason).or_default(),
            Kind::Outcome(MessageOutcome::Refused(reason)) => self.refused.entry(reason).or_default(),
            Kind::Outcome(MessageOutcome::Failed(reason)) => self.failed.entry(reason).or_default(),
        } += times;
    }

    /// The sum of two.
    pub fn add_all(&mut self, others: &Counts) {
        for (kind, times) in Kind::all().zip(others.numbers()) {
            self.add(kind, times);
        }
    }

    /// The values in the order of the numbers.
    pub fn numbers(&self) -> impl Iterator<Item = i64> {
        let of = |by_reason: &BTreeMap<Reason, i64>, reason| by_reason.get(&reason).copied().unwrap_or(0);
        Kind::all().map(move |kind| match kind {
            Kind::Oracle => self.oracle,
            Kind::Blocked => self.blocked,
            Kind::Waited => self.waited,
            Kind::Outcome(MessageOutcome::Free) => self.free,
            Kind::Outcome(MessageOutcome::Paid(reason)) => of(&self.paid, reason),
            Kind::Outcome(MessageOutcome::Refused(reason)) => of(&self.refused, reason),
            Kind::Outcome(MessageOutcome::Failed(reason)) => of(&self.failed, reason),
        })
    }

    /// Messages that did not go free.
    pub fn not_free(&self) -> i64 {
        [&self.paid, &self.refused, &self.failed].into_iter().flat_map(BTreeMap::values).sum()
    }

    /// Messages that did not go free, less those that could not: what knowing less than everything cost.
    /// Negative only while messages are under way.
    pub fn regret(&self) -> i64 {
        self.not_free() - self.oracle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_kinds_are_the_same_thing() {
        assert_eq!(Kind::all().count(), Kind::KINDS);
        for (number, kind) in Kind::all().enumerate() {
            assert_eq!(kind.number(), number);
            let mut counts = Counts::default();
            counts.add(kind, 7);
            let numbers: Vec<_> = counts.numbers().collect();
            assert_eq!(Counts::from_numbers(&numbers), counts);
            assert_eq!(numbers.iter().sum::<i64>(), 7);
        }
    }

    #[test]
    fn regret_is_what_did_not_go_free_though_it_could_have() {
        let mut counts = Counts::default();
        counts.add(Kind::Outcome(MessageOutcome::Paid(Reason::FreeExhausted)), 5);
        counts.add(Kind::Outcome(MessageOutcome::Refused(Reason::FreeBlocked)), 2);
        counts.add(Kind::Outcome(MessageOutcome::Free), 9);
        counts.add(Kind::Oracle, 4);
        assert_eq!(counts.regret(), 3);
    }
}
