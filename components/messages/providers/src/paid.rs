//! The paid provider: takes every call with the right credential, and meters each.

use octo_core::{KeyValue, StoreError, UnixMillis};
use serde::Serialize;

use crate::call_log::{CallLog, Entry};

/// What the provider metered and refused.
#[derive(Debug, Serialize)]
pub struct Books {
    /// All calls ever taken, each to be paid for.
    pub metered_total: i64,
    /// All calls ever refused for the lack of the right credential.
    pub refused_total: i64,
    /// The latest calls taken, newest first.
    pub metered: Vec<Entry>,
}

/// The paid provider over its store.
#[derive(Debug)]
pub struct PaidProvider<'a, K> {
    store: &'a K,
}

impl<'a, K: KeyValue> PaidProvider<'a, K> {
    /// The provider with its books in `store`.
    pub fn new(store: &'a K) -> Self {
        Self { store }
    }

    /// Meters the call `id` that arrives at `now`.
    pub async fn meter(&self, id: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.metered().add(id, now).await
    }

    /// Writes down a call without the right credential.
    pub async fn refuse(&self, id: &str, now: UnixMillis) -> Result<(), StoreError> {
        self.refused().add(id, now).await
    }

    /// The books, with at most `limit` calls one by one.
    pub async fn books(&self, limit: i64) -> Result<Books, StoreError> {
        Ok(Books {
            metered_total: self.metered().total().await?,
            refused_total: self.refused().total().await?,
            metered: self.metered().latest(limit).await?,
        })
    }

    fn metered(&self) -> CallLog<'a, K> {
        CallLog::new(self.store, "paid-provider/metered")
    }

    fn refused(&self) -> CallLog<'a, K> {
        CallLog::new(self.store, "paid-provider/refused")
    }
}
