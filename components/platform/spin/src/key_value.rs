//! The key-value store labelled `default`.

use octo_core::async_trait;
use std::{sync::OnceLock, time::Duration};

use octo_core::{Clock, KeyValue, StoreError};
use spin_sdk::wit::wasi::keyvalue::{
    atomics,
    store::{self, Bucket, Error},
};

use crate::SpinClock;

/// Spin's key-value store through `wasi:keyvalue`, which alone has `increment`. Opened when first used.
#[derive(Default)]
pub struct SpinKeyValue(OnceLock<Bucket>);

/// The only label that needs no flag on `spin up`.
const LABEL: &str = "default";

/// Spin's Redis backend has no namespace: whatever else lives in that database must not meet our keys.
fn own(key: &str) -> String {
    format!("octo/{key}")
}

impl SpinKeyValue {
    fn bucket(&self) -> Result<&Bucket, StoreError> {
        if let Some(bucket) = self.0.get() {
            return Ok(bucket);
        }
        let bucket = store::open(LABEL).map_err(failed)?;
        Ok(self.0.get_or_init(|| bucket))
    }
}

/// Pauses before a locked store is asked again, in milliseconds.
const PAUSES_MS: [u64; 6] = [5, 15, 45, 100, 200, 400];

/// Asks until the store is not locked any more. Several Spins that share a file of SQLite's may each begin to read what it
/// is about to change; it then lets one of them go on, and tells the others at once that they have done nothing.
async fn while_locked<T>(ask: impl Fn() -> Result<T, Error>) -> Result<T, StoreError> {
    let locked = |answer: &Result<T, Error>| matches!(answer, Err(Error::Other(text)) if text.contains("database is locked"));
    for pause in PAUSES_MS {
        match ask() {
            answer if locked(&answer) => SpinClock.sleep(Duration::from_millis(pause)).await,
            answer => return answer.map_err(failed),
        }
    }
    ask().map_err(failed)
}

fn failed(error: Error) -> StoreError {
    StoreError(match error {
        Error::NoSuchStore => "there is no such store".into(),
        Error::AccessDenied => "this component may not use the store".into(),
        Error::Other(text) => text,
    })
}

#[async_trait]
impl KeyValue for SpinKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (bucket, key) = (self.bucket()?, own(key));
        while_locked(|| bucket.get(&key)).await
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let (bucket, key) = (self.bucket()?, own(key));
        while_locked(|| bucket.set(&key, value)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let (bucket, key) = (self.bucket()?, own(key));
        while_locked(|| bucket.delete(&key)).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let (bucket, key) = (self.bucket()?, own(key));
        while_locked(|| atomics::increment(bucket, &key, delta)).await
    }
}
