//! The line of messages that would rather wait for a free slot than go without one.
//!
//! First come, first served, over all instances: a slot is given to the message at place k, counted from 0,
//! only when more than k slots are to be had, and a message that is not in line stands behind all that are.
//! So nobody is overtaken, and the line never lets a call go that would not go without it.
//!
//! Nobody calls those in line: each asks again when it is told to, and so renews its lease. One that does
//! not (its instance crashed, its client went away) is forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use octo_core::UnixMillis;

/// A message in line asks again after this time at the latest. It may be as late again.
pub const ASK_AGAIN: Duration = Duration::from_secs(1);
/// It is forgotten this long after it last asked.
pub const LEASE: Duration = Duration::from_secs(3);
/// So many wait at most.
pub const LONGEST: usize = 10_000;

/// The messages in line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The number of the newest place.
    newest: i64,
    by_number: BTreeSet<i64>,
    by_lease: BTreeSet<(UnixMillis, String)>,
    members: BTreeMap<String, (i64, UnixMillis)>,
}

impl Line {
    /// How many wait.
    pub fn length(&self) -> i64 {
        i64::try_from(self.members.len()).unwrap_or(i64::MAX)
    }

    /// How many stand before this message, in line or not.
    pub fn before(&self, id: &str) -> i64 {
        let Some((number, _)) = self.members.get(id) else { return self.length() };
        i64::try_from(self.by_number.range(..number).count()).unwrap_or(i64::MAX)
    }

    /// Takes a place at the end, or keeps the one it has, for another lease. False when the line is full.
    pub fn join(&mut self, id: &str, now: UnixMillis) -> bool {
        let number = match self.members.get(id) {
            Some((number, lease)) => {
                self.by_lease.remove(&(*lease, id.to_owned()));
                *number
            }
            None if self.members.len() >= LONGEST => return false,
            None => {
                self.newest += 1;
                self.newest
            }
        };
        let lease = now + LEASE;
        self.by_number.insert(number);
        self.by_lease.insert((lease, id.to_owned()));
        self.members.insert(id.to_owned(), (number, lease));
        true
    }

    /// Gives the place up, if it has one.
    pub fn leave(&mut self, id: &str) {
        if let Some((number, lease)) = self.members.remove(id) {
            self.by_number.remove(&number);
            self.by_lease.remove(&(lease, id.to_owned()));
        }
    }

    /// Forgets those whose lease is over.
    pub fn forget(&mut self, now: UnixMillis) {
        while let Some((_, id)) = self.by_lease.first().filter(|(lease, _)| *lease <= now).cloned() {
            self.leave(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn places_are_kept_in_the_order_of_coming() {
        let mut line = Line::default();
        for id in ["a", "b", "c", "a"] {
            assert!(line.join(id, NOW));
        }
        assert_eq!(["a", "b", "c", "new"].map(|id| line.before(id)), [0, 1, 2, 3]);
        line.leave("a");
        assert_eq!(["b", "c", "a"].map(|id| line.before(id)), [0, 1, 2]);
    }

    #[test]
    fn who_does_not_ask_again_is_forgotten() {
        let mut line = Line::default();
        line.join("crashed", NOW);
        line.join("patient", NOW);
        line.join("patient", NOW + ASK_AGAIN * 2);
        line.forget(NOW + LEASE);
        assert_eq!((line.length(), line.before("patient")), (1, 0));
    }

    #[test]
    fn the_line_has_an_end() {
        let mut line = Line::default();
        assert!((0..LONGEST).all(|id| line.join(&id.to_string(), NOW)));
        assert!(!line.join("one too many", NOW));
        assert!(line.join("0", NOW));
    }
}
