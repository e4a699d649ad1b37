//! The key-value store labelled `default`.

use std::cell::OnceCell;

use octo_core::{KeyValue, StoreError};
use spin_sdk::{
    key_value::Store,
    wit::wasi::keyvalue::{atomics, store},
};

/// Spin's key-value store. Values go through Spin's own interface, which every platform has; `increment`
/// through `wasi:keyvalue/atomics`. Each is opened when first used.
#[derive(Default)]
pub struct SpinKeyValue {
    values: OnceCell<Store>,
    counters: OnceCell<store::Bucket>,
}

/// The only label that needs no flag on `spin up`.
const LABEL: &str = "default";

impl SpinKeyValue {
    fn values(&self) -> Result<&Store, StoreError> {
        if self.values.get().is_none() {
            let store = Store::open(LABEL).map_err(|error| StoreError(error.to_string()))?;
            return Ok(self.values.get_or_init(|| store));
        }
        self.values.get().ok_or_else(|| StoreError("not open".into()))
    }

    fn counters(&self) -> Result<&store::Bucket, StoreError> {
        if self.counters.get().is_none() {
            let bucket = store::open(LABEL).map_err(|error| StoreError(format!("{error:?}")))?;
            return Ok(self.counters.get_or_init(|| bucket));
        }
        self.counters.get().ok_or_else(|| StoreError("not open".into()))
    }
}

impl KeyValue for SpinKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.values()?.get(key).map_err(|error| StoreError(error.to_string()))
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.values()?.set(key, value).map_err(|error| StoreError(error.to_string()))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.values()?.delete(key).map_err(|error| StoreError(error.to_string()))
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        atomics::increment(self.counters()?, key, delta).map_err(|error| StoreError(format!("{error:?}")))
    }
}
