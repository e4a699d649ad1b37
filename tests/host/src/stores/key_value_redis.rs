//! A key-value store on a Redis server, as Spin has it: keys as they are, without a namespace, and
//! counters in decimal text.
//!
//! One connection serves all instances. It is made at the first use, dropped after an input or output
//! error and made again at the next use. No time limit is set, as on Spin: a server that hangs
//! hangs the call.
//!
//! No lock is held across a wait, nor waited for in a line. An instance of WASI 0.3 that waits for a call which cannot be
//! given up polls none of its others, and one of those might be the next in line: then nobody would ever have the lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, FromRedisValue, cmd};

use super::key_value::StoreResult;
use super::redis::connect;

/// All keys of one Redis database.
pub(crate) struct RedisStore {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl RedisStore {
    pub(crate) fn new(url: &str) -> Result<Self> {
        Ok(Self { client: Client::open(url).context("invalid Redis URL")?, connection: Mutex::default() })
    }

    pub(crate) async fn connect(&self) -> StoreResult<()> {
        self.connection().await.map(drop)
    }

    /// The connection. Who comes while there is none makes one; the first that is made serves all.
    async fn connection(&self) -> StoreResult<MultiplexedConnection> {
        let known = self.known().clone();
        if let Some(connection) = known {
            return Ok(connection);
        }
        let fresh = connect(&self.client).await.map_err(|e| e.to_string())?;
        Ok(self.known().get_or_insert(fresh).clone())
    }

    fn known(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> StoreResult<T> {
        let mut connection = self.connection().await?;
        match command.query_async(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                if error.is_io_error() || error.is_unrecoverable_error() {
                    *self.known() = None;
                }
                Err(error.to_string())
            }
        }
    }

    pub(crate) async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        self.ask(cmd("GET").arg(key)).await
    }

    pub(crate) async fn set(&self, key: &str, value: &[u8]) -> StoreResult<()> {
        self.ask(cmd("SET").arg(key).arg(value)).await
    }

    pub(crate) async fn delete(&self, key: &str) -> StoreResult<()> {
        self.ask(cmd("DEL").arg(key)).await
    }

    pub(crate) async fn exists(&self, key: &str) -> StoreResult<bool> {
        self.ask(cmd("EXISTS").arg(key)).await
    }

    pub(crate) async fn keys(&self) -> StoreResult<Vec<String>> {
        self.ask(cmd("KEYS").arg("*")).await
    }

    pub(crate) async fn increment(&self, key: &str, delta: i64) -> StoreResult<i64> {
        self.ask(cmd("INCRBY").arg(key).arg(delta)).await
    }
}
