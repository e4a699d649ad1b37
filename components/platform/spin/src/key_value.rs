//! The key-value store labelled `default`.

use octo_core::async_trait;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use octo_core::{Clock, KeyValue, StoreError};
use send_wrapper::SendWrapper;

use crate::{
    SpinClock,
    lane::{self, Store, keyvalue::store::Error},
};

/// Spin's key-value store, opened when first used.
#[derive(Default)]
pub struct SpinKeyValue(OnceLock<Arc<Store>>);

/// The only label that needs no flag on `spin up`.
pub(crate) const LABEL: &str = "default";

/// What an error of `wasi:keyvalue` means.
pub(crate) fn failed(error: Error) -> StoreError {
    StoreError(match error {
        Error::NoSuchStore => "there is no such store".into(),
        Error::AccessDenied => "this component may not use the store".into(),
        Error::Other(text) => text,
    })
}

/// Spin's Redis backend has no namespace: whatever else lives in that database must not meet our keys.
fn own(key: &str) -> String {
    format!("octo/{key}")
}

impl SpinKeyValue {
    async fn store(&self) -> Result<&Store, StoreError> {
        if let Some(store) = self.0.get() {
            return Ok(store);
        }
        let store = SendWrapper::new(lane::store()).await?;
        Ok(self.0.get_or_init(|| store))
    }
}

/// Pauses before a locked store is asked again, in milliseconds.
const PAUSES_MS: [u64; 6] = [5, 15, 45, 100, 200, 400];

/// Asks until the store is not locked any more. Several Spins that share a file of SQLite's may each begin to read what it
/// is about to change; it then lets one of them go on, and tells the others at once that they have done nothing.
async fn while_locked<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for pause in PAUSES_MS {
        match ask().await {
            Err(error) if error.0.contains("database is locked") => {
                SpinClock.sleep(Duration::from_millis(pause)).await;
            }
            answer => return answer,
        }
    }
    ask().await
}

// What is asked is not `Send`. There is one thread.
#[async_trait]
impl KeyValue for SpinKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (store, key) = (self.store().await?, own(key));
        SendWrapper::new(while_locked(async || store.get(&key).await)).await
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let (store, key) = (self.store().await?, own(key));
        SendWrapper::new(while_locked(async || store.set(&key, value).await)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let (store, key) = (self.store().await?, own(key));
        SendWrapper::new(while_locked(async || store.delete(&key).await)).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let (store, key) = (self.store().await?, own(key));
        SendWrapper::new(while_locked(async || store.increment(&key, delta).await)).await
    }
}
