//! The key-value store labelled `default`.

use std::cell::OnceCell;

use octo_core::{KeyValue, StoreError};
use spin_sdk::wit::wasi::keyvalue::{
    atomics,
    store::{self, Bucket, Error},
};

/// Spin's key-value store through `wasi:keyvalue`, which alone has `increment`. Opened when first used.
#[derive(Default)]
pub struct SpinKeyValue(OnceCell<Bucket>);

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

fn failed(error: Error) -> StoreError {
    StoreError(match error {
        Error::NoSuchStore => "there is no such store".into(),
        Error::AccessDenied => "this component may not use the store".into(),
        Error::Other(text) => text,
    })
}

impl KeyValue for SpinKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.bucket()?.get(&own(key)).map_err(failed)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.bucket()?.set(&own(key), value).map_err(failed)
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.bucket()?.delete(&own(key)).map_err(failed)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        atomics::increment(self.bucket()?, &own(key), delta).map_err(failed)
    }
}
