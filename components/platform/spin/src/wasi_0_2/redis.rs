//! A Redis server, by its address.

use octo_core::async_trait;
use std::sync::OnceLock;

use octo_core::{Redis, Script, StoreError};
use spin_sdk::redis::Connection;

use crate::redis::{failed, is_unknown_script, parameters, whole};

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
        let call = |command: &str, script: &str| connection.execute(command, &parameters(script, keys, args));
        let answer = match call("EVALSHA", script.sha1()) {
            Err(error) if is_unknown_script(&error) => call("EVAL", script.text()),
            answer => answer,
        };
        answer.map_err(failed)?.into_iter().map(whole).collect()
    }
}
