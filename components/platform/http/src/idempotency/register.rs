//! The register of claims: numbered, so that old ones are found and removed. The store has no expiry, and
//! nothing there can be listed.
//!
//! # Removal in two steps
//! Any number of instances may remove the same claim at the same time, or crash while they do. First goes the
//! claim's counter, once the record has been there for long: everybody has seen it, nobody claims the key, and
//! it does not matter how often the counter is removed. A day later goes the record. By then nobody is left
//! who began to remove the counter, and it cannot be the counter of a new claim that they remove.
//!
//! What is a day old is known without a date on every claim: once a day the numbers reached are marked, and
//! what was drawn before the mark before is older than a day. So an answer is kept for three to four days, and
//! longer only where nobody calls for removal: who uses a new key does, and so does the scheduler of the jobs.
//!
//! A claim that has an entry still has its counter, for the entry is written after the counter was raised and
//! struck before it is removed. If such a claim has no record, its holder crashed before it was written, or
//! while it was released. Then the claim is entered again and its record written now, but its counter waits
//! for the new entry to be a day old: requests that saw no record may be on their way to the counter. A holder
//! that crashes between the counter and the entry leaves the counter behind, and its key unknown for ever;
//! nothing else is left.

use octo_core::{KeyValue, StoreError, UnixMillis, UtcDay};
use serde::{Deserialize, Serialize};

use super::{
    key_value::{counter, missed},
    record::{Claimed, Record, get, put},
};

const DRAWN: &str = "idempotency/drawn";
const PROGRESS: &str = "idempotency/progress";

/// The claims, by number.
#[derive(Debug)]
pub(super) struct Register<'a, K> {
    store: &'a K,
}

/// How far removal has come. Every field is the last number it is true of. Of several instances that write it
/// at once any may win: whatever it says was true when it was read, and steps are repeated without harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    marked: Mark,
    /// A day old.
    old: i64,
    /// Without a counter.
    uncounted: i64,
    /// Without a counter for a day.
    settled: i64,
    /// Without a record.
    erased: i64,
}

/// The numbers reached at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    at: UnixMillis,
    drawn: i64,
    uncounted: i64,
}

impl<'a, K: KeyValue> Register<'a, K> {
    pub(super) fn new(store: &'a K) -> Self {
        Self { store }
    }

    /// A number no other claim has.
    pub(super) async fn draw(&self) -> Result<i64, StoreError> {
        self.store.increment(DRAWN, 1).await
    }

    /// Enters a claim.
    pub(super) async fn write(&self, claim: &Claimed) -> Result<(), StoreError> {
        put(self.store, &entry(claim.number), claim).await
    }

    /// Removes a claim that was released.
    pub(super) async fn strike(&self, number: i64) -> Result<(), StoreError> {
        self.store.delete(&entry(number)).await
    }

    /// Takes both steps of removal further by at most `at_once` claims each. Whether there is more to remove.
    pub(super) async fn forget_old(&self, now: UnixMillis, at_once: usize) -> Result<bool, StoreError> {
        let before = self.progress().await?;
        let mut progress = match before.clone() {
            Some(progress) => self.mark(progress, now).await?,
            None => {
                let marked = Mark { at: now, drawn: self.drawn().await?, uncounted: 0 };
                Progress { marked, old: 0, uncounted: 0, settled: 0, erased: 0 }
            }
        };
        for number in (progress.uncounted + 1..=progress.old).take(at_once) {
            self.uncount(number).await?;
            progress.uncounted = number;
        }
        for number in (progress.erased + 1..=progress.settled).take(at_once) {
            self.erase(number).await?;
            progress.erased = number;
        }
        if before.as_ref() != Some(&progress) {
            put(self.store, PROGRESS, &progress).await?;
        }
        Ok(progress.uncounted < progress.old || progress.erased < progress.settled)
    }

    /// Once a day: what was reached at the last mark is a day old now.
    async fn mark(&self, progress: Progress, now: UnixMillis) -> Result<Progress, StoreError> {
        if now.since(progress.marked.at) < UtcDay::LENGTH {
            return Ok(progress);
        }
        Ok(Progress {
            old: progress.marked.drawn,
            settled: progress.marked.uncounted,
            marked: Mark { at: now, drawn: self.drawn().await?, uncounted: progress.uncounted },
            ..progress
        })
    }

    /// Removes the counter of a claim that is a day old. Without an entry the number was drawn for nothing, or
    /// the claim was released; with the record of another number it was entered again.
    async fn uncount(&self, number: i64) -> Result<(), StoreError> {
        let Some(claim) = get::<Claimed>(self.store, &entry(number)).await? else { return Ok(()) };
        match Record::read(self.store, &claim.name).await? {
            Some(record) if record.claim.number != number => Ok(()),
            Some(_) => {
                self.store.delete(&counter(&claim.name)).await?;
                self.store.delete(&missed(&claim.name)).await
            }
            None => {
                let again = Claimed { number: self.draw().await?, ..claim };
                self.write(&again).await?;
                Record::claimed(again).write(self.store).await
            }
        }
    }

    /// Removes the record of a claim that has had no counter for a day.
    async fn erase(&self, number: i64) -> Result<(), StoreError> {
        let Some(claim) = get::<Claimed>(self.store, &entry(number)).await? else { return Ok(()) };
        let record = Record::read(self.store, &claim.name).await?;
        if record.is_some_and(|record| record.claim.number == number) {
            Record::delete(self.store, &claim.name).await?;
        }
        self.store.delete(&entry(number)).await
    }

    async fn drawn(&self) -> Result<i64, StoreError> {
        self.store.increment(DRAWN, 0).await
    }

    async fn progress(&self) -> Result<Option<Progress>, StoreError> {
        get(self.store, PROGRESS).await
    }
}

fn entry(number: i64) -> String {
    format!("idempotency/claim/{number}")
}
