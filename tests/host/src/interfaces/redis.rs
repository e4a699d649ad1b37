//! `fermyon:spin/redis`.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, ErrorKind, FromRedisValue, cmd};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::fermyon::spin::redis::{Error, Host, HostConnection, RedisParameter, RedisResult};
use crate::faults::{NOBODYS_BYTES, Verdict};
use crate::instance::InstanceState;
use crate::stores::redis::{Connection, connect};

impl InstanceState {
    /// Sends a command, unless a fault comes between; `wrong` is the answer of a wrong one.
    async fn ask<T: FromRedisValue>(
        &mut self,
        connection: &Resource<Connection>,
        operation: &'static str,
        command: &Cmd,
        wrong: impl FnOnce() -> T,
    ) -> Result<Result<T, Error>> {
        let mut connection: MultiplexedConnection = self.table.get(connection)?.0.clone();
        let _call = self.services.begin_store_call(&self.component, operation);
        Ok(match self.services.faults.meet_redis().await {
            Ok(Verdict::Proceed) => command.query_async(&mut connection).await.map_err(said),
            Ok(Verdict::AnswerWrongly) => Ok(wrong()),
            Err(down) => Err(Error::Other(down.to_owned())),
        })
    }
}

fn said(error: redis::RedisError) -> Error {
    let wrong_type = error.kind() == ErrorKind::UnexpectedReturnType || error.code() == Some("WRONGTYPE");
    if wrong_type { Error::TypeError } else { Error::Other(error.to_string()) }
}

impl Host for InstanceState {}

impl HostConnection for InstanceState {
    async fn open(&mut self, address: String) -> Result<Result<Resource<Connection>, Error>> {
        let services = Arc::clone(&self.services);
        let _call = services.begin_store_call(&self.component, "redis open");
        if !services.allowed_hosts(&self.component.id).allow(&address, "redis") {
            services.say(
                &self.component,
                format!("may not connect to {}: not in allowed_outbound_hosts", without_user(&address)),
            );
            return Ok(Err(Error::InvalidAddress));
        }
        if let Err(down) = services.faults.meet_redis().await {
            return Ok(Err(Error::Other(down.to_owned())));
        }
        let Ok(client) = Client::open(address) else {
            return Ok(Err(Error::InvalidAddress));
        };
        match connect(&client).await {
            Ok(connection) => Ok(Ok(self.table.push(Connection(connection))?)),
            Err(error) => Ok(Err(Error::Other(error.to_string()))),
        }
    }

    async fn publish(
        &mut self,
        connection: Resource<Connection>,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        let mut command = cmd("PUBLISH");
        command.arg(channel).arg(payload);
        self.ask(&connection, "redis publish", &command, || ()).await
    }

    async fn get(
        &mut self,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Result<Option<Vec<u8>>, Error>> {
        let mut command = cmd("GET");
        command.arg(key);
        self.ask(&connection, "redis get", &command, || Some(NOBODYS_BYTES.to_vec())).await
    }

    async fn set(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        value: Vec<u8>,
    ) -> Result<Result<(), Error>> {
        let mut command = cmd("SET");
        command.arg(key).arg(value);
        self.ask(&connection, "redis set", &command, || ()).await
    }

    async fn incr(&mut self, connection: Resource<Connection>, key: String) -> Result<Result<i64, Error>> {
        let mut command = cmd("INCR");
        command.arg(key);
        self.ask(&connection, "redis incr", &command, || -1).await
    }

    async fn del(
        &mut self,
        connection: Resource<Connection>,
        keys: Vec<String>,
    ) -> Result<Result<u32, Error>> {
        let mut command = cmd("DEL");
        command.arg(keys);
        self.ask(&connection, "redis del", &command, || 0).await
    }

    async fn sadd(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<Result<u32, Error>> {
        let mut command = cmd("SADD");
        command.arg(key).arg(values);
        self.ask(&connection, "redis sadd", &command, || 0).await
    }

    async fn smembers(
        &mut self,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Result<Vec<String>, Error>> {
        let mut command = cmd("SMEMBERS");
        command.arg(key);
        self.ask(&connection, "redis smembers", &command, Vec::new).await
    }

    async fn srem(
        &mut self,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<Result<u32, Error>> {
        let mut command = cmd("SREM");
        command.arg(key).arg(values);
        self.ask(&connection, "redis srem", &command, || 0).await
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Result<Vec<RedisResult>, Error>> {
        let mut whole = cmd(&command);
        for argument in arguments {
            match argument {
                RedisParameter::Int64(integer) => whole.arg(integer),
                RedisParameter::Binary(bytes) => whole.arg(bytes),
            };
        }
        let answer = self
            .ask(&connection, "redis execute", &whole, || redis::Value::BulkString(NOBODYS_BYTES.to_vec()))
            .await?;
        Ok(answer.and_then(|answer| {
            let mut results = Vec::new();
            flatten(answer, &mut results)?;
            Ok(results)
        }))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// An answer as a flat list, as Spin gives it: the ends of nested lists are lost.
fn flatten(answer: redis::Value, results: &mut Vec<RedisResult>) -> Result<(), Error> {
    let unsupported = |what: &str| Err(Error::Other(format!("Redis {what} is not supported")));
    results.push(match answer {
        redis::Value::Nil => RedisResult::Nil,
        redis::Value::Int(integer) => RedisResult::Int64(integer),
        redis::Value::Boolean(truth) => RedisResult::Int64(i64::from(truth)),
        redis::Value::BulkString(bytes) | redis::Value::BigNumber(bytes) => RedisResult::Binary(bytes),
        redis::Value::Double(double) => RedisResult::Binary(double.to_string().into_bytes()),
        redis::Value::SimpleString(status) => RedisResult::Status(status),
        redis::Value::Okay => RedisResult::Status("OK".to_owned()),
        redis::Value::Array(answers) | redis::Value::Set(answers) => {
            return answers.into_iter().try_for_each(|answer| flatten(answer, results));
        }
        redis::Value::ServerError(error) => {
            return Err(Error::Other(format!("Server error: {error:?}")));
        }
        redis::Value::Map(_) => return unsupported("Map type"),
        redis::Value::Attribute { .. } => return unsupported("Attribute type"),
        redis::Value::VerbatimString { .. } => {
            return unsupported("string with format attribute");
        }
        _ => return unsupported("Pub/Sub type"),
    });
    Ok(())
}

/// An address fit for a log: what stands before its `@` may be a password.
fn without_user(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, host)| host)
}
