//! A key-value store on either backend.

use anyhow::Result;

use super::key_value_redis::RedisStore;
use super::key_value_sqlite::SqliteStore;
use crate::runtime_config::KeyValueBackend;

/// A store, shared by all instances of a host.
pub(crate) enum KeyValueStore {
    Sqlite(SqliteStore),
    Redis(Box<RedisStore>),
}

/// The message of a failed operation, for the component's eyes.
pub(crate) type StoreResult<T> = std::result::Result<T, String>;

impl KeyValueStore {
    /// The store called `label` on a backend. A Redis server is not asked before the first use.
    pub(crate) fn new(label: &str, backend: &KeyValueBackend) -> Result<Self> {
        match backend {
            KeyValueBackend::Sqlite(path) => SqliteStore::open(label, path.as_deref()).map(Self::Sqlite),
            KeyValueBackend::Redis(url) => RedisStore::new(url).map(|store| Self::Redis(Box::new(store))),
        }
    }

    /// Makes sure the backend is there.
    pub(crate) async fn open(&self) -> StoreResult<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Redis(store) => store.connect().await,
        }
    }

    pub(crate) async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        match self {
            Self::Sqlite(store) => store.get(key),
            Self::Redis(store) => store.get(key).await,
        }
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> StoreResult<()> {
        match self {
            Self::Sqlite(store) => store.set(key, value),
            Self::Redis(store) => store.set(key, value).await,
        }
    }

    pub(crate) async fn delete(&self, key: &str) -> StoreResult<()> {
        match self {
            Self::Sqlite(store) => store.delete(key),
            Self::Redis(store) => store.delete(key).await,
        }
    }

    pub(crate) async fn exists(&self, key: &str) -> StoreResult<bool> {
        match self {
            Self::Sqlite(store) => store.get(key).map(|value| value.is_some()),
            Self::Redis(store) => store.exists(key).await,
        }
    }

    pub(crate) async fn keys(&self) -> StoreResult<Vec<String>> {
        match self {
            Self::Sqlite(store) => store.keys(),
            Self::Redis(store) => store.keys().await,
        }
    }

    /// The counter after adding `delta`.
    pub(crate) async fn increment(&self, key: &str, delta: i64) -> StoreResult<i64> {
        match self {
            Self::Sqlite(store) => store.increment(key, delta),
            Self::Redis(store) => store.increment(key, delta).await,
        }
    }
}
