//! `fermyon:spin/key-value`.

use std::sync::Arc;

use wasmtime::Result;
use wasmtime::component::Resource;

use crate::app::Component;
use crate::bindings::fermyon::spin::key_value::{Error, Host, HostStore};
use crate::faults::{NOBODYS_BYTES, Verdict};
use crate::instance::InstanceState;
use crate::records::StoreCall;
use crate::services::Services;
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

/// An open store, as one call uses it. The call is counted and meets its fault, whichever interface it came by.
pub(crate) struct Opened {
    services: Arc<Services>,
    component: Arc<Component>,
    store: Arc<KeyValueStore>,
}

/// Opens a store for a component.
pub(crate) async fn open(
    services: &Services,
    component: &Component,
    label: &str,
) -> Result<OpenStore, OpenError> {
    let _call = services.begin_store_call(component, "key-value open");
    services.faults.meet_key_value(&component.id).await.map_err(|down| OpenError::Failed(down.to_owned()))?;
    if !component.may_open_store(label) {
        return Err(OpenError::AccessDenied);
    }
    let store = services.key_value.get(label).ok_or(OpenError::NoSuchStore)?;
    store.open().await.map_err(OpenError::Failed)?;
    Ok(OpenStore(Arc::clone(store)))
}

impl Opened {
    /// Begins a call.
    async fn begin(&self, operation: &'static str) -> StoreResult<(Verdict, StoreCall)> {
        let call = self.services.begin_store_call(&self.component, operation);
        let verdict = self.services.faults.meet_key_value(&self.component.id).await;
        Ok((verdict.map_err(str::to_owned)?, call))
    }

    pub(crate) async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        match self.begin("key-value get").await? {
            (Verdict::Proceed, _call) => self.store.get(key).await,
            (Verdict::AnswerWrongly, _) => Ok(Some(NOBODYS_BYTES.to_vec())),
        }
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> StoreResult<()> {
        match self.begin("key-value set").await? {
            (Verdict::Proceed, _call) => self.store.set(key, value).await,
            (Verdict::AnswerWrongly, _) => Ok(()),
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> StoreResult<()> {
        match self.begin("key-value delete").await? {
            (Verdict::Proceed, _call) => self.store.delete(key).await,
            (Verdict::AnswerWrongly, _) => Ok(()),
        }
    }

    pub(crate) async fn exists(&self, key: &str) -> StoreResult<bool> {
        match self.begin("key-value exists").await? {
            (Verdict::Proceed, _call) => self.store.exists(key).await,
            (Verdict::AnswerWrongly, _call) => self.store.exists(key).await.map(|there| !there),
        }
    }

    pub(crate) async fn keys(&self) -> StoreResult<Vec<String>> {
        match self.begin("key-value get-keys").await? {
            (Verdict::Proceed, _call) => self.store.keys().await,
            (Verdict::AnswerWrongly, _) => Ok(Vec::new()),
        }
    }

    pub(crate) async fn increment(&self, key: &str, delta: i64) -> StoreResult<i64> {
        match self.begin("key-value increment").await? {
            (Verdict::Proceed, _call) => self.store.increment(key, delta).await,
            (Verdict::AnswerWrongly, _) => Ok(-1),
        }
    }
}

impl InstanceState {
    /// The store behind a handle.
    pub(crate) fn opened(&self, store: &Resource<OpenStore>) -> Result<Opened> {
        Ok(Opened {
            services: Arc::clone(&self.services),
            component: Arc::clone(&self.component),
            store: Arc::clone(&self.table.get(store)?.0),
        })
    }

    pub(crate) async fn open_store(&mut self, label: &str) -> Result<Result<Resource<OpenStore>, OpenError>> {
        Ok(match open(&self.services, &self.component, label).await {
            Ok(store) => Ok(self.table.push(store)?),
            Err(error) => Err(error),
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
        Ok(self.opened(&store)?.get(&key).await.map_err(Error::Other))
    }

    async fn set(
        &mut self,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        Ok(self.opened(&store)?.set(&key, &value).await.map_err(Error::Other))
    }

    async fn delete(&mut self, store: Resource<OpenStore>, key: String) -> Result<Result<(), Error>> {
        Ok(self.opened(&store)?.delete(&key).await.map_err(Error::Other))
    }

    async fn exists(&mut self, store: Resource<OpenStore>, key: String) -> Result<Result<bool, Error>> {
        Ok(self.opened(&store)?.exists(&key).await.map_err(Error::Other))
    }

    async fn get_keys(&mut self, store: Resource<OpenStore>) -> Result<Result<Vec<String>, Error>> {
        Ok(self.opened(&store)?.keys().await.map_err(Error::Other))
    }

    async fn drop(&mut self, store: Resource<OpenStore>) -> Result<()> {
        self.close_store(store)
    }
}
