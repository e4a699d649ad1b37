//! `wasi:keyvalue/store` and `wasi:keyvalue/atomics`: the same stores under WASI's names.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::key_value::{OpenError, OpenStore};
use crate::bindings::wasi::keyvalue::{atomics, store};
use crate::instance::InstanceState;

/// A compare-and-swap that will be refused.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Cas;

const SWAP_REFUSED: &str = "compare-and-swap is unsound on Spin and refused by this host: use \
                            increment, or a Redis script";

impl store::Host for InstanceState {
    async fn open(&mut self, identifier: String) -> Result<Result<Resource<OpenStore>, store::Error>> {
        let opened = self.open_store(&identifier).await?;
        Ok(opened.map_err(|error| match error {
            OpenError::AccessDenied => store::Error::AccessDenied,
            OpenError::NoSuchStore => store::Error::NoSuchStore,
            OpenError::Failed(message) => store::Error::Other(message),
        }))
    }
}

impl store::HostBucket for InstanceState {
    async fn get(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(self.opened(&bucket)?.get(&key).await.map_err(store::Error::Other))
    }

    async fn set(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), store::Error>> {
        Ok(self.opened(&bucket)?.set(&key, &value).await.map_err(store::Error::Other))
    }

    async fn delete(&mut self, bucket: Resource<OpenStore>, key: String) -> Result<Result<(), store::Error>> {
        Ok(self.opened(&bucket)?.delete(&key).await.map_err(store::Error::Other))
    }

    async fn exists(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
    ) -> Result<Result<bool, store::Error>> {
        Ok(self.opened(&bucket)?.exists(&key).await.map_err(store::Error::Other))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<OpenStore>,
        cursor: Option<String>,
    ) -> Result<Result<store::KeyResponse, store::Error>> {
        if cursor.is_some() {
            return Ok(Err(store::Error::Other("list_keys: cursor not supported".to_owned())));
        }
        let keys = self.opened(&bucket)?.keys().await;
        Ok(keys.map(|keys| store::KeyResponse { keys, cursor: None }).map_err(store::Error::Other))
    }

    async fn drop(&mut self, bucket: Resource<OpenStore>) -> Result<()> {
        self.close_store(bucket)
    }
}

impl atomics::Host for InstanceState {
    async fn increment(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
        delta: i64,
    ) -> Result<Result<i64, atomics::Error>> {
        Ok(self.opened(&bucket)?.increment(&key, delta).await.map_err(atomics::Error::Other))
    }

    async fn swap(&mut self, cas: Resource<Cas>, _value: Vec<u8>) -> Result<Result<(), atomics::CasError>> {
        self.table.delete(cas)?;
        let refused = atomics::Error::Other(SWAP_REFUSED.to_owned());
        Ok(Err(atomics::CasError::StoreError(refused)))
    }
}

impl atomics::HostCas for InstanceState {
    async fn new(
        &mut self,
        _bucket: Resource<OpenStore>,
        _key: String,
    ) -> Result<Result<Resource<Cas>, atomics::Error>> {
        Ok(Err(atomics::Error::Other(SWAP_REFUSED.to_owned())))
    }

    async fn current(&mut self, _cas: Resource<Cas>) -> Result<Result<Option<Vec<u8>>, atomics::Error>> {
        Ok(Err(atomics::Error::Other(SWAP_REFUSED.to_owned())))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
