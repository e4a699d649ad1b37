//! A Redis server, by its address.

use octo_core::async_trait;
use std::sync::OnceLock;

use octo_core::{Redis, Script, StoreError};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

/// A Redis server, connected when first used. Each connection is a new one to the server, so one value
/// serves a whole request.
pub struct SpinRedis {
    address: String,
    connection: OnceLock<Connection>,
}

impl SpinRedis {
    /// The server at `address`, such as `redis://localhost:6379`.
    pub fn at(address: String) -> Self {
        Self { address, connection: OnceLock::new() }
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let connection = Connection::open(&self.address).map_err(failed)?;
        Ok(self.connection.get_or_init(|| connection))
    }
}

#[async_trait]
impl Redis for SpinRedis {
    async fn eval(&self, script: &Script, keys: &[String], args: &[String]) -> Result<Vec<i64>, StoreError> {
        let connection = self.connection()?;
        let binary = |text: &str| RedisParameter::Binary(text.as_bytes().to_vec());
        let call = |command: &str, name: &str| {
            let mut parameters = vec![binary(name), binary(&keys.len().to_string())];
            parameters.extend(keys.iter().chain(args).map(|text| binary(text)));
            connection.execute(command, &parameters)
        };
        let answer = match call("EVALSHA", script.sha1()) {
            Err(error) if is_unknown_script(&error) => call("EVAL", script.text()),
            answer => answer,
        };
        answer.map_err(failed)?.into_iter().map(whole).collect()
    }
}

/// The server has not seen the script: it is new, restarted, or forgot it. Spin passes on the text of its
/// client library, which has the server's word or its own.
fn is_unknown_script(error: &Error) -> bool {
    matches!(error, Error::Other(text) if text.contains("NOSCRIPT") || text.contains("NoScript"))
}

fn whole(result: RedisResult) -> Result<i64, StoreError> {
    match result {
        RedisResult::Int64(value) => Ok(value),
        other => Err(StoreError(format!("the script answers {other:?}, which is no whole number"))),
    }
}

fn failed(error: Error) -> StoreError {
    StoreError(match error {
        Error::InvalidAddress => "the address is not allowed or no address of a Redis server".into(),
        Error::TooManyConnections => "too many connections to Redis".into(),
        Error::TypeError => "Redis answers with another type".into(),
        Error::Other(text) => text,
    })
}
