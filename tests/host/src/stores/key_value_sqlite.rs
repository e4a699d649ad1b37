//! A key-value store in an SQLite file, in the table Spin uses.
//!
//! Operations run where they are called: each takes some microseconds, less than handing it to another
//! thread would.

use std::path::Path;
use std::sync::{Arc, MutexGuard};

use anyhow::Result;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension, params};

use super::key_value::StoreResult;
use super::owned_file::OwnedFile;

/// The rows of one label.
pub(crate) struct SqliteStore {
    label: String,
    file: Arc<OwnedFile>,
}

/// Spin's table, kept as one tree, so that a write changes one page.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
                          store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
                          PRIMARY KEY (store, key)
                      ) WITHOUT ROWID";
const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";

const INCREMENT: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3) \
                         ON CONFLICT (store, key) DO UPDATE SET value = plus(value, ?4) RETURNING value";

impl SqliteStore {
    /// Opens or makes the file; without one the store is in memory.
    pub(crate) fn open(label: &str, path: Option<&Path>) -> Result<Self> {
        let file = OwnedFile::open(path, |connection| {
            connection.execute_batch(CREATE)?;
            add_counter_function(connection)
        })?;
        Ok(Self { label: label.to_owned(), file })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.file.connection()
    }

    pub(crate) fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        self.connection()
            .prepare_cached(GET)
            .and_then(|mut get| get.query_row([&self.label, key], |row| row.get(0)).optional())
            .map_err(said)
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> StoreResult<()> {
        self.connection()
            .prepare_cached(SET)
            .and_then(|mut set| set.execute(params![self.label, key, value]))
            .map(drop)
            .map_err(said)
    }

    pub(crate) fn delete(&self, key: &str) -> StoreResult<()> {
        self.connection()
            .prepare_cached("DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2")
            .and_then(|mut delete| delete.execute([&self.label, key]))
            .map(drop)
            .map_err(said)
    }

    pub(crate) fn keys(&self) -> StoreResult<Vec<String>> {
        self.connection()
            .prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")
            .and_then(|mut keys| keys.query_map([&self.label], |row| row.get(0))?.collect())
            .map_err(said)
    }

    /// A counter is eight little-endian bytes, as on Spin; anything else under the key is an error. One
    /// statement: another instance comes before or after it, never between.
    pub(crate) fn increment(&self, key: &str, delta: i64) -> StoreResult<i64> {
        let counter: Vec<u8> = self
            .connection()
            .prepare_cached(INCREMENT)
            .and_then(|mut increment| {
                let first = delta.to_le_bytes();
                increment.query_row(params![self.label, key, first, delta], |row| row.get(0))
            })
            .map_err(said)?;
        from_bytes(&counter)
    }
}

/// `plus(counter, delta)` for SQL.
fn add_counter_function(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("plus", 2, flags, |context| {
        let refused = |reason: String| rusqlite::Error::UserFunctionError(reason.into());
        let before = from_bytes(context.get_raw(0).as_blob().unwrap_or_default()).map_err(refused)?;
        let after = before.checked_add(context.get(1)?);
        let after = after.ok_or_else(|| refused("the counter would overflow".to_owned()))?;
        Ok(after.to_le_bytes().to_vec())
    })
}

fn from_bytes(counter: &[u8]) -> StoreResult<i64> {
    let bytes = <[u8; 8]>::try_from(counter).map_err(|_| "the value is not a counter".to_owned())?;
    Ok(i64::from_le_bytes(bytes))
}

fn said(error: rusqlite::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> SqliteStore {
        SqliteStore::open("default", None).unwrap()
    }

    #[test]
    fn a_value_is_kept_replaced_and_deleted() {
        let store = store();
        assert_eq!(store.get("a").unwrap(), None);
        store.set("a", b"1").unwrap();
        store.set("a", b"2").unwrap();
        assert_eq!(store.get("a").unwrap().unwrap(), b"2");
        assert_eq!(store.keys().unwrap(), ["a"]);
        store.delete("a").unwrap();
        store.delete("a").unwrap();
        assert_eq!(store.get("a").unwrap(), None);
    }

    #[test]
    fn a_counter_is_eight_little_endian_bytes() {
        let store = store();
        assert_eq!(store.increment("n", 0).unwrap(), 0);
        assert_eq!(store.increment("n", 5).unwrap(), 5);
        assert_eq!(store.increment("n", -7).unwrap(), -2);
        assert_eq!(store.get("n").unwrap().unwrap(), (-2_i64).to_le_bytes());
    }

    #[test]
    fn what_is_not_a_counter_cannot_be_incremented() {
        let store = store();
        store.set("n", b"12").unwrap();
        assert!(store.increment("n", 1).is_err());
        store.set("n", &i64::MAX.to_le_bytes()).unwrap();
        assert!(store.increment("n", 1).is_err());
        assert_eq!(store.increment("n", -1).unwrap(), i64::MAX - 1);
    }

    #[test]
    fn two_hosts_on_one_file_count_every_increment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv.db");
        let stores = [(); 2].map(|()| SqliteStore::open("default", Some(&path)).unwrap());
        std::thread::scope(|scope| {
            for store in &stores {
                scope.spawn(|| (0..100).for_each(|_| _ = store.increment("n", 1).unwrap()));
            }
        });
        assert_eq!(stores[0].increment("n", 0).unwrap(), 200);
    }
}
