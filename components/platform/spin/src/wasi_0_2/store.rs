//! The key-value store through `wasi:keyvalue`.

use std::sync::Arc;

use octo_core::StoreError;
use spin_sdk::wit::wasi::keyvalue::{
    atomics,
    store::{self, Bucket},
};

use crate::key_value::{LABEL, failed};

/// The store, open.
pub(crate) struct Store(Bucket);

/// Opens it.
pub(crate) async fn store() -> Result<Arc<Store>, StoreError> {
    Ok(Arc::new(Store(store::open(LABEL).map_err(failed)?)))
}

impl Store {
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).map_err(failed)
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.0.set(key, value).map_err(failed)
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key).map_err(failed)
    }

    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        atomics::increment(&self.0, key, delta).map_err(failed)
    }
}
