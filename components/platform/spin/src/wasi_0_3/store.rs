//! The key-value store: through Spin's asynchronous interface, so that a store that hangs holds nobody up but who asks; its
//! counters through `wasi:keyvalue`, which alone has them.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use octo_core::{Joined, StoreError};
use send_wrapper::SendWrapper;
use spin_sdk_7::{
    experimental::wasi::keyvalue::{
        atomics,
        store::{self, Bucket},
    },
    key_value as kv,
    wasip3::wit_bindgen::yield_async,
};

use crate::key_value::{self, LABEL};

/// The store, open.
pub(crate) struct Store {
    store: SendWrapper<kv::Store>,
    /// Opened when first counted.
    counters: OnceLock<Bucket>,
}

thread_local! {
    static KEPT: RefCell<Option<Arc<Store>>> = const { RefCell::new(None) };
}

/// What the requests of this instance add to the counters.
static JOINED: Joined = Joined::new();

/// Opens it, once for the whole instance.
pub(crate) async fn store() -> Result<Arc<Store>, StoreError> {
    if let Some(kept) = KEPT.with_borrow(Clone::clone) {
        return Ok(kept);
    }
    let store = SendWrapper::new(kv::Store::open(LABEL).await.map_err(failed)?);
    let store = Arc::new(Store { store, counters: OnceLock::new() });
    KEPT.set(Some(Arc::clone(&store)));
    Ok(store)
}

fn failed(error: kv::Error) -> StoreError {
    StoreError(match error {
        kv::Error::StoreTableFull => "too many stores are open".into(),
        kv::Error::NoSuchStore => "there is no such store".into(),
        kv::Error::AccessDenied => "this component may not use the store".into(),
        kv::Error::Other(text) => text,
    })
}

impl Store {
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key).await.map_err(failed)
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.store.set(key, value).await.map_err(failed)
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(key).await.map_err(failed)
    }

    /// The one question that cannot be given up, and holds up all requests of the instance. So it is put only to a store that
    /// has just answered another, and for all at once that want to add to the counter now.
    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        let ticket = JOINED.join(key, delta);
        // The others come this far meanwhile.
        yield_async().await;
        if let Some(answer) = ticket.answer() {
            return answer;
        }
        self.store.exists(key).await.map_err(failed)?;
        ticket.put(|sum| {
            let counters = match self.counters.get() {
                Some(counters) => counters,
                None => {
                    let opened = store::open(LABEL).map_err(key_value::failed)?;
                    self.counters.get_or_init(|| opened)
                }
            };
            atomics::increment(counters, key, sum).map_err(key_value::failed)
        })
    }
}
