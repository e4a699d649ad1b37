//! `fermyon:spin/key-value`.

use std::sync::Arc;

use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::fermyon::spin::key_value::{Error, Host, HostStore};
use crate::faults::{NOBODYS_BYTES, Verdict};
use crate::instance::InstanceState;
use crate::records::StoreCall;
use crate::stores::key_value::{KeyValueStore, StoreResult};

/// A store an instance has opened; also a `wasi:keyvalue` bucket.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct OpenStore(Arc<KeyValueStore>);

/// Why no store was opened.
pub(crate) enum OpenError {
    AccessDenied,
    NoSuchStore,
    Failed(String),
}

/// Operations by either interface's names.
impl InstanceState {
    pub(crate) async fn open_store(&mut self, label: &str) -> Result<Result<Resource<OpenStore>, OpenError>> {
        let services = Arc::clone(&self.services);
        let _call = services.begin_store_call(&self.component, "key-value open");
        if let Err(down) = services.faults.meet_key_value(&self.component.id).await {
            return Ok(Err(OpenError::Failed(down.to_owned())));
        }
        if !self.component.may_open_store(label) {
            return Ok(Err(OpenError::AccessDenied));
        }
        let Some(store) = services.key_value.get(label) else {
            return Ok(Err(OpenError::NoSuchStore));
        };
        if let Err(message) = store.open().await {
            return Ok(Err(OpenError::Failed(message)));
        }
        Ok(Ok(self.table.push(OpenStore(Arc::clone(store)))?))
    }

    /// The store behind a handle, once the call has begun and met its fault.
    async fn use_store(
        &mut self,
        store: &Resource<OpenStore>,
        operation: &'static str,
    ) -> Result<StoreResult<(Arc<KeyValueStore>, Verdict, StoreCall)>> {
        let store = Arc::clone(&self.table.get(store)?.0);
        let call = self.services.begin_store_call(&self.component, operation);
        Ok(match self.services.faults.meet_key_value(&self.component.id).await {
            Ok(verdict) => Ok((store, verdict, call)),
            Err(down) => Err(down.to_owned()),
        })
    }

    pub(crate) async fn store_get(
        &mut self,
        store: Resource<OpenStore>,
        key: &str,
    ) -> Result<StoreResult<Option<Vec<u8>>>> {
        Ok(match self.use_store(&store, "key-value get").await? {
            Ok((store, Verdict::Proceed, _call)) => store.get(key).await,
            Ok((_, Verdict::AnswerWrongly, _)) => Ok(Some(NOBODYS_BYTES.to_vec())),
            Err(message) => Err(message),
        })
    }

    pub(crate) async fn store_set(
        &mut self,
        store: Resource<OpenStore>,
        key: &str,
        value: &[u8],
    ) -> Result<StoreResult<()>> {
        Ok(match self.use_store(&store, "key-value set").await? {
            Ok((store, Verdict::Proceed, _call)) => store.set(key, value).await,
            Ok((_, Verdict::AnswerWrongly, _)) => Ok(()),
            Err(message) => Err(message),
        })
    }

    pub(crate) async fn store_delete(
        &mut self,
        store: Resource<OpenStore>,
        key: &str,
    ) -> Result<StoreResult<()>> {
        Ok(match self.use_store(&store, "key-value delete").await? {
            Ok((store, Verdict::Proceed, _call)) => store.delete(key).await,
            Ok((_, Verdict::AnswerWrongly, _)) => Ok(()),
            Err(message) => Err(message),
        })
    }

    pub(crate) async fn store_exists(
        &mut self,
        store: Resource<OpenStore>,
        key: &str,
    ) -> Result<StoreResult<bool>> {
        Ok(match self.use_store(&store, "key-value exists").await? {
            Ok((store, Verdict::Proceed, _call)) => store.exists(key).await,
            Ok((store, Verdict::AnswerWrongly, _call)) => store.exists(key).await.map(|there| !there),
            Err(message) => Err(message),
        })
    }

    pub(crate) async fn store_keys(
        &mut self,
        store: Resource<OpenStore>,
    ) -> Result<StoreResult<Vec<String>>> {
        Ok(match self.use_store(&store, "key-value get-keys").await? {
            Ok((store, Verdict::Proceed, _call)) => store.keys().await,
            Ok((_, Verdict::AnswerWrongly, _)) => Ok(Vec::new()),
            Err(message) => Err(message),
        })
    }

    pub(crate) async fn store_increment(
        &mut self,
        store: Resource<OpenStore>,
        key: &str,
        delta: i64,
    ) -> Result<StoreResult<i64>> {
        Ok(match self.use_store(&store, "key-value increment").await? {
            Ok((store, Verdict::Proceed, _call)) => store.increment(key, delta).await,
            Ok((_, Verdict::AnswerWrongly, _)) => Ok(-1),
            Err(message) => Err(message),
        })
    }

    pub(crate) fn close_store(&mut self, store: Resource<OpenStore>) -> Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl Host for InstanceState {}

impl HostStore for InstanceState {
    async fn open(&mut self, label: String) -> Result<Result<Resource<OpenStore>, Error>> {
        let opened = self.open_store(&label).await?;
        Ok(opened.map_err(|error| match error {
            OpenError::AccessDenied => Error::AccessDenied,
            OpenError::NoSuchStore => Error::NoSuchStore,
            OpenError::Failed(message) => Error::Other(message),
        }))
    }

    async fn get(
        &mut self,
        store: Resource<OpenStore>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.store_get(store, &key).await?.map_err(Error::Other))
    }

    async fn set(
        &mut self,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        Ok(self.store_set(store, &key, &value).await?.map_err(Error::Other))
    }

    async fn delete(&mut self, store: Resource<OpenStore>, key: String) -> Result<Result<(), Error>> {
        Ok(self.store_delete(store, &key).await?.map_err(Error::Other))
    }

    async fn exists(&mut self, store: Resource<OpenStore>, key: String) -> Result<Result<bool, Error>> {
        Ok(self.store_exists(store, &key).await?.map_err(Error::Other))
    }

    async fn get_keys(&mut self, store: Resource<OpenStore>) -> Result<Result<Vec<String>, Error>> {
        Ok(self.store_keys(store).await?.map_err(Error::Other))
    }

    async fn drop(&mut self, store: Resource<OpenStore>) -> Result<()> {
        self.close_store(store)
    }
}
