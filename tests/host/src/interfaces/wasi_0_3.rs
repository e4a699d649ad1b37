//! `spin:key-value@3.0.0` and `spin:redis@3.0.0`: the same stores for components of WASI 0.3, whose other tasks go on while
//! one waits.
//!
//! Of Redis' operations there is only `execute`, the one that Octo's components use.

use std::sync::Arc;

use redis::cmd;
use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, StreamReader};
use wasmtime::{Result, bail};

use super::key_value::{self, OpenError, OpenStore, Opened};
use super::redis as servers;
use crate::bindings::spin::key_value::key_value::{
    Error as StoreError, Host as StoreHost, HostStore, HostStoreWithStore,
};
use crate::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};
use crate::instance::InstanceState;
use crate::stores::redis::Connection;

type This<T> = Accessor<T, HasSelf<InstanceState>>;

impl StoreHost for InstanceState {}

impl HostStore for InstanceState {
    async fn drop(&mut self, store: Resource<OpenStore>) -> Result<()> {
        self.close_store(store)
    }
}

fn opened<T>(this: &This<T>, store: &Resource<OpenStore>) -> Result<Opened> {
    this.with(|mut access| access.get().opened(store))
}

impl<T: Send> HostStoreWithStore<T> for HasSelf<InstanceState> {
    async fn open(this: &This<T>, label: String) -> Result<Result<Resource<OpenStore>, StoreError>> {
        let (services, component) = this.with(|mut access| {
            let state = access.get();
            (Arc::clone(&state.services), Arc::clone(&state.component))
        });
        Ok(match key_value::open(&services, &component, &label).await {
            Ok(store) => Ok(this.with(|mut access| access.get().table.push(store))?),
            Err(OpenError::AccessDenied) => Err(StoreError::AccessDenied),
            Err(OpenError::NoSuchStore) => Err(StoreError::NoSuchStore),
            Err(OpenError::Failed(message)) => Err(StoreError::Other(message)),
        })
    }

    async fn get(
        this: &This<T>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, StoreError>> {
        Ok(opened(this, &store)?.get(&key).await.map_err(StoreError::Other))
    }

    async fn set(
        this: &This<T>,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), StoreError>> {
        Ok(opened(this, &store)?.set(&key, &value).await.map_err(StoreError::Other))
    }

    async fn delete(
        this: &This<T>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Result<Result<(), StoreError>> {
        Ok(opened(this, &store)?.delete(&key).await.map_err(StoreError::Other))
    }

    async fn exists(
        this: &This<T>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Result<Result<bool, StoreError>> {
        Ok(opened(this, &store)?.exists(&key).await.map_err(StoreError::Other))
    }

    async fn get_keys(
        _: &This<T>,
        _: Resource<OpenStore>,
    ) -> Result<(StreamReader<String>, FutureReader<Result<(), StoreError>>)> {
        bail!("this host does not list the keys of a store")
    }
}

impl Host for InstanceState {}

impl HostConnection for InstanceState {
    async fn drop(&mut self, connection: Resource<Connection>) -> Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for HasSelf<InstanceState> {
    async fn open(this: &This<T>, address: String) -> Result<Result<Resource<Connection>, Error>> {
        let (services, component) = this.with(|mut access| {
            let state = access.get();
            (Arc::clone(&state.services), Arc::clone(&state.component))
        });
        Ok(match servers::open(&services, &component, address).await {
            Ok(connection) => Ok(this.with(|mut access| access.get().table.push(connection))?),
            Err(servers::Unconnected::InvalidAddress) => Err(Error::InvalidAddress),
            Err(servers::Unconnected::Other(text)) => Err(Error::Other(text)),
        })
    }

    async fn execute(
        this: &This<T>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Result<Vec<RedisResult>, Error>> {
        let mut connected = this.with(|mut access| access.get().connected(&connection))?;
        let mut whole = cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(integer) => whole.arg(integer),
                RedisParameter::Binary(bytes) => whole.arg(bytes),
            };
        }
        let answer = connected.execute(&whole).await.map_err(|failure| match failure {
            servers::Failure::WrongType => Error::TypeError,
            servers::Failure::Other(text) => Error::Other(text),
        });
        Ok(answer.and_then(|answer| answer.into_iter().map(result).collect()))
    }

    async fn publish(
        _: &This<T>,
        _: Resource<Connection>,
        _: String,
        _: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        bail!(ONLY_EXECUTE)
    }

    async fn get(_: &This<T>, _: Resource<Connection>, _: String) -> Result<Result<Option<Vec<u8>>, Error>> {
        bail!(ONLY_EXECUTE)
    }

    async fn set(_: &This<T>, _: Resource<Connection>, _: String, _: Vec<u8>) -> Result<Result<(), Error>> {
        bail!(ONLY_EXECUTE)
    }

    async fn incr(_: &This<T>, _: Resource<Connection>, _: String) -> Result<Result<i64, Error>> {
        bail!(ONLY_EXECUTE)
    }

    async fn del(_: &This<T>, _: Resource<Connection>, _: Vec<String>) -> Result<Result<u32, Error>> {
        bail!(ONLY_EXECUTE)
    }

    async fn sadd(
        _: &This<T>,
        _: Resource<Connection>,
        _: String,
        _: Vec<String>,
    ) -> Result<Result<u32, Error>> {
        bail!(ONLY_EXECUTE)
    }

    async fn smembers(_: &This<T>, _: Resource<Connection>, _: String) -> Result<Result<Vec<String>, Error>> {
        bail!(ONLY_EXECUTE)
    }

    async fn srem(
        _: &This<T>,
        _: Resource<Connection>,
        _: String,
        _: Vec<String>,
    ) -> Result<Result<u32, Error>> {
        bail!(ONLY_EXECUTE)
    }
}

/// Why an operation is not there.
const ONLY_EXECUTE: &str = "this host has `execute` of spin:redis, and none of its other operations";

fn result(answer: redis::Value) -> Result<RedisResult, Error> {
    Ok(match servers::plain(answer).map_err(Error::Other)? {
        servers::Plain::Nil => RedisResult::Nil,
        servers::Plain::Whole(integer) => RedisResult::Int64(integer),
        servers::Plain::Bytes(bytes) => RedisResult::Binary(bytes),
        servers::Plain::Status(status) => RedisResult::Status(status),
    })
}
