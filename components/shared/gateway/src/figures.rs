//! What became of the messages: counts for people, in a window and in all.

use std::collections::BTreeMap;

use octo_core::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::routing::Reason;

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The end it came to.
    pub fate: Fate,
    /// Whether it waited in line for a free slot.
    pub waited: bool,
}

/// The ends a message can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The free provider processed it.
    Free,
    /// The paid provider processed it, for this reason.
    Paid(Reason),
    /// No provider was asked to process it, for this reason, and the sender may not pay.
    Refused(Reason),
    /// The providers that were asked gave no result; the reason is that for asking the last of them.
    Failed(Reason),
}

/// Counts over a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct WindowFigures {
    /// When it began.
    pub starts_at: UnixMillis,
    /// What became of its messages.
    pub counts: Counts,
}

/// What became of the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The latest windows with messages, newest first.
    pub windows: Vec<WindowFigures>,
    /// Since counting began, these windows included.
    pub total: Counts,
    /// Messages in line now.
    pub waiting: i64,
}

impl Counts {
    /// Messages that did not go free, less those that could not: what knowing less than everything cost.
    /// Negative only while messages are under way.
    pub fn regret(&self) -> i64 {
        let not_free: i64 =
            [&self.paid, &self.refused, &self.failed].into_iter().flat_map(BTreeMap::values).sum();
        not_free - self.oracle
    }
}
