//! What a provider took and refused: totals that are exact, and the latest calls one by one, as long as they are few.

use octo_core::{KeyValue, StoreError, UnixMillis};
use serde::{Deserialize, Serialize};

/// How many calls of each kind are kept one by one; older ones remain in the totals.
pub const KEPT: i64 = 10_000;

/// How many are written down one by one before only every hundredth is. A store that counts on disk may take some hundred
/// writes a second: where there are many calls, all but their number would cost more than it is worth.
const EACH: i64 = 1_000;

/// Whether the call with this number is written down, beside being counted.
pub fn is_kept(number: i64) -> bool {
    number <= EACH || number % 100 == 0
}

/// One call in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The call's number among those of its kind.
    pub number: i64,
    /// The id the caller gave it (`Idempotency-Key`), cut to 64 characters.
    pub id: String,
    /// When it arrived, in milliseconds since the epoch.
    pub at: UnixMillis,
}

/// A log of calls of one kind. Entries live in a ring of [`KEPT`] keys, so that the log never grows and
/// nothing has to be removed.
#[derive(Debug)]
pub struct CallLog<'a, K> {
    store: &'a K,
    prefix: &'static str,
}

impl<'a, K: KeyValue> CallLog<'a, K> {
    /// The log under `prefix`.
    pub fn new(store: &'a K, prefix: &'static str) -> Self {
        Self { store, prefix }
    }

    /// Numbers a call, and writes it down if it [is to be kept](is_kept).
    pub async fn add(&self, id: &str, at: UnixMillis) -> Result<(), StoreError> {
        let number = self.store.increment(&self.count_key(), 1).await?;
        if is_kept(number) { self.add_numbered(number, id, at).await } else { Ok(()) }
    }

    /// Writes down a call that already has a number of its own.
    pub async fn add_numbered(&self, number: i64, id: &str, at: UnixMillis) -> Result<(), StoreError> {
        let entry = Entry { number, id: id.chars().take(64).collect(), at };
        let bytes = serde_json::to_vec(&entry).map_err(|error| StoreError(error.to_string()))?;
        self.store.set(&self.entry_key(number), &bytes).await
    }

    /// The call with this number, unless a later one took its place.
    pub async fn entry(&self, number: i64) -> Result<Option<Entry>, StoreError> {
        let bytes = self.store.get(&self.entry_key(number)).await?;
        let entry = bytes.and_then(|bytes| serde_json::from_slice::<Entry>(&bytes).ok());
        Ok(entry.filter(|entry| entry.number == number))
    }

    /// How many calls were ever added.
    pub async fn total(&self) -> Result<i64, StoreError> {
        self.store.increment(&self.count_key(), 0).await
    }

    /// The latest calls, at most `limit`, newest first.
    pub async fn latest(&self, limit: i64) -> Result<Vec<Entry>, StoreError> {
        let total = self.total().await?;
        let mut entries = Vec::new();
        for number in (1..=total).rev().filter(|number| is_kept(*number)).take(limit.clamp(0, KEPT) as usize)
        {
            // The newest may still be being written.
            entries.extend(self.entry(number).await?);
        }
        Ok(entries)
    }

    fn count_key(&self) -> String {
        format!("{}/count", self.prefix)
    }

    fn entry_key(&self, number: i64) -> String {
        format!("{}/entry/{}", self.prefix, number.rem_euclid(KEPT))
    }
}
