//! The port `Redis` on a real server.

use octo_core::async_trait;
use std::sync::{Mutex, PoisonError};

use octo_core::{Redis, Script, StoreError};

/// One connection to a server, for one thread.
pub struct RealRedis(Mutex<redis::Connection>);

impl std::fmt::Debug for RealRedis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RealRedis")
    }
}

impl RealRedis {
    /// Connects to the server at `url`.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn connect(url: &str) -> anyhow::Result<Self> {
        Ok(Self(Mutex::new(redis::Client::open(url)?.get_connection()?)))
    }

    /// Runs a command without interest in its answer.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn command(&self, words: &[&str]) -> Result<(), StoreError> {
        let mut command = redis::Cmd::new();
        command.arg(words);
        command
            .query::<redis::Value>(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
            .map(drop)
            .map_err(failed)
    }
}

fn failed(error: redis::RedisError) -> StoreError {
    StoreError(error.to_string())
}

#[async_trait]
impl Redis for RealRedis {
    async fn eval(&self, script: &Script, keys: &[String], args: &[String]) -> Result<Vec<i64>, StoreError> {
        let call = |command: &str, name: &str| {
            let mut whole = redis::cmd(command);
            whole.arg(name).arg(keys.len()).arg(keys).arg(args);
            whole.query(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
        };
        match call("EVALSHA", script.sha1()) {
            Err(error) if error.code() == Some("NOSCRIPT") => call("EVAL", script.text()).map_err(failed),
            answer => answer.map_err(failed),
        }
    }
}
