//! `fermyon:spin/redis`.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, ErrorKind, FromRedisValue, cmd};
use wasmtime::component::Resource;

use crate::app::Component;
use crate::bindings::fermyon::spin::redis::{Error, Host, HostConnection, RedisParameter, RedisResult};
use crate::faults::{NOBODYS_BYTES, Verdict};
use crate::instance::InstanceState;
use crate::services::Services;
use crate::stores::redis::{Connection, connect};

/// A connection, as one call uses it. The call is counted and meets its fault, whichever interface it came by.
pub(crate) struct Connected {
    services: Arc<Services>,
    component: Arc<Component>,
    connection: MultiplexedConnection,
}

/// What a command came to.
pub(crate) enum Failure {
    WrongType,
    Other(String),
}

/// Why there is no connection.
pub(crate) enum Unconnected {
    InvalidAddress,
    Other(String),
}

/// Connects for a component.
pub(crate) async fn open(
    services: &Services,
    component: &Component,
    address: String,
) -> Result<Connection, Unconnected> {
    let _call = services.begin_store_call(component, "redis open");
    if !services.allowed_hosts(&component.id).allow(&address, "redis") {
        services.say(
            component,
            format!("may not connect to {}: not in allowed_outbound_hosts", without_user(&address)),
        );
        return Err(Unconnected::InvalidAddress);
    }
    services.faults.meet_redis().await.map_err(|down| Unconnected::Other(down.to_owned()))?;
    let client = Client::open(address).map_err(|_| Unconnected::InvalidAddress)?;
    let connection = connect(&client).await.map_err(|error| Unconnected::Other(error.to_string()))?;
    Ok(Connection(connection))
}

impl Connected {
    /// Sends a command, unless a fault comes between; `wrong` is the answer of a wrong one.
    pub(crate) async fn ask<T: FromRedisValue>(
        &mut self,
        operation: &'static str,
        command: &Cmd,
        wrong: impl FnOnce() -> T,
    ) -> Result<T, Failure> {
        let _call = self.services.begin_store_call(&self.component, operation);
        match self.services.faults.meet_redis().await {
            Ok(Verdict::Proceed) => command.query_async(&mut self.connection).await.map_err(said),
            Ok(Verdict::AnswerWrongly) => Ok(wrong()),
            Err(down) => Err(Failure::Other(down.to_owned())),
        }
    }

    /// Sends any command, and gives its answer as a flat list.
    pub(crate) async fn execute(&mut self, command: &Cmd) -> Result<Vec<redis::Value>, Failure> {
        let wrong = || redis::Value::BulkString(NOBODYS_BYTES.to_vec());
        let answer = self.ask("redis execute", command, wrong).await?;
        let mut flat = Vec::new();
        flatten(answer, &mut flat);
        Ok(flat)
    }
}

fn said(error: redis::RedisError) -> Failure {
    let wrong_type = error.kind() == ErrorKind::UnexpectedReturnType || error.code() == Some("WRONGTYPE");
    if wrong_type { Failure::WrongType } else { Failure::Other(error.to_string()) }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::WrongType => Self::TypeError,
            Failure::Other(text) => Self::Other(text),
        }
    }
}

impl InstanceState {
    /// The connection behind a handle.
    pub(crate) fn connected(&self, connection: &Resource<Connection>) -> wasmtime::Result<Connected> {
        Ok(Connected {
            services: Arc::clone(&self.services),
            component: Arc::clone(&self.component),
            connection: self.table.get(connection)?.0.clone(),
        })
    }

    async fn ask<T: FromRedisValue>(
        &mut self,
        connection: &Resource<Connection>,
        operation: &'static str,
        command: &Cmd,
        wrong: impl FnOnce() -> T,
    ) -> wasmtime::Result<Result<T, Error>> {
        Ok(self.connected(connection)?.ask(operation, command, wrong).await.map_err(Error::from))
    }
}

impl Host for InstanceState {}

impl HostConnection for InstanceState {
    async fn open(&mut self, address: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(match open(&self.services, &self.component, address).await {
            Ok(connection) => Ok(self.table.push(connection)?),
            Err(Unconnected::InvalidAddress) => Err(Error::InvalidAddress),
            Err(Unconnected::Other(text)) => Err(Error::Other(text)),
        })
    }

    async fn publish(
        &mut self,
        connection: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let mut command = cmd("PUBLISH");
        command.arg(channel).arg(payload);
        self.ask(&connection, "redis publish", &command, || ()).await
    }

    async fn get(
        &mut self,
        connection: Resource<Connection>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let mut command = cmd("GET");
        command.arg(key);
        self.ask(&connection, "redis get", &command, || Some(NOBODYS_BYTES.to_vec())).await
    }

    async fn set(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let mut command = cmd("SET");
        command.arg(key).arg(value);
        self.ask(&connection, "redis set", &command, || ()).await
    }

    async fn incr(
        &mut self,
        connection: Resource<Connection>,
        key: String,
    ) -> wasmtime::Result<Result<i64, Error>> {
        let mut command = cmd("INCR");
        command.arg(key);
        self.ask(&connection, "redis incr", &command, || -1).await
    }

    async fn del(
        &mut self,
        connection: Resource<Connection>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        let mut command = cmd("DEL");
        command.arg(keys);
        self.ask(&connection, "redis del", &command, || 0).await
    }

    async fn sadd(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        let mut command = cmd("SADD");
        command.arg(key).arg(values);
        self.ask(&connection, "redis sadd", &command, || 0).await
    }

    async fn smembers(
        &mut self,
        connection: Resource<Connection>,
        key: String,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let mut command = cmd("SMEMBERS");
        command.arg(key);
        self.ask(&connection, "redis smembers", &command, Vec::new).await
    }

    async fn srem(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        let mut command = cmd("SREM");
        command.arg(key).arg(values);
        self.ask(&connection, "redis srem", &command, || 0).await
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        let mut whole = cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(integer) => whole.arg(integer),
                RedisParameter::Binary(bytes) => whole.arg(bytes),
            };
        }
        let answer = self.connected(&connection)?.execute(&whole).await;
        Ok(answer.map_err(Error::from).and_then(|answer| answer.into_iter().map(result).collect()))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// An answer as a flat list, as Spin gives it: the ends of nested lists are lost.
fn flatten(answer: redis::Value, flat: &mut Vec<redis::Value>) {
    match answer {
        redis::Value::Array(answers) | redis::Value::Set(answers) => {
            answers.into_iter().for_each(|answer| flatten(answer, flat));
        }
        answer => flat.push(answer),
    }
}

fn result(answer: redis::Value) -> Result<RedisResult, Error> {
    Ok(match plain(answer).map_err(Error::Other)? {
        Plain::Nil => RedisResult::Nil,
        Plain::Whole(integer) => RedisResult::Int64(integer),
        Plain::Bytes(bytes) => RedisResult::Binary(bytes),
        Plain::Status(status) => RedisResult::Status(status),
    })
}

/// An answer that is no list.
pub(crate) enum Plain {
    Nil,
    Whole(i64),
    Bytes(Vec<u8>),
    Status(String),
}

/// What Spin makes of an answer; or why it cannot.
pub(crate) fn plain(answer: redis::Value) -> Result<Plain, String> {
    let unsupported = |what: &str| Err(format!("Redis {what} is not supported"));
    Ok(match answer {
        redis::Value::Nil => Plain::Nil,
        redis::Value::Int(integer) => Plain::Whole(integer),
        redis::Value::Boolean(truth) => Plain::Whole(i64::from(truth)),
        redis::Value::BulkString(bytes) | redis::Value::BigNumber(bytes) => Plain::Bytes(bytes),
        redis::Value::Double(double) => Plain::Bytes(double.to_string().into_bytes()),
        redis::Value::SimpleString(status) => Plain::Status(status),
        redis::Value::Okay => Plain::Status("OK".to_owned()),
        redis::Value::ServerError(error) => return Err(format!("Server error: {error:?}")),
        redis::Value::Map(_) => return unsupported("Map type"),
        redis::Value::Attribute { .. } => return unsupported("Attribute type"),
        redis::Value::VerbatimString { .. } => return unsupported("string with format attribute"),
        _ => return unsupported("Pub/Sub type"),
    })
}

/// An address fit for a log: what stands before its `@` may be a password.
fn without_user(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, host)| host)
}
