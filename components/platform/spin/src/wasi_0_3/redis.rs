//! A Redis server, by its address.

use octo_core::async_trait;
use std::{cell::RefCell, rc::Rc};

use octo_core::{Redis, Script, StoreError};
use send_wrapper::SendWrapper;
use spin_sdk_7::redis::Connection;

use crate::redis::{failed, is_unknown_script, parameters, whole};

thread_local! {
    /// The connection of this instance, and to which address. All its requests share it, as the host's client allows.
    static KEPT: RefCell<Option<(String, Rc<Connection>)>> = const { RefCell::new(None) };
}

/// A Redis server, connected when first used.
pub struct SpinRedis {
    address: String,
}

impl SpinRedis {
    /// The server at `address`, such as `redis://localhost:6379`.
    pub fn at(address: String) -> Self {
        Self { address }
    }

    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        let kept = KEPT.with_borrow(|kept| {
            kept.as_ref()
                .filter(|(address, _)| *address == self.address)
                .map(|(_, connection)| Rc::clone(connection))
        });
        if let Some(connection) = kept {
            return Ok(connection);
        }
        let connection = Rc::new(Connection::open(&self.address).await.map_err(failed)?);
        KEPT.set(Some((self.address.clone(), Rc::clone(&connection))));
        Ok(connection)
    }

    async fn ask(&self, script: &Script, keys: &[String], args: &[String]) -> Result<Vec<i64>, StoreError> {
        let connection = self.connection().await?;
        let call = async |command: &str, script: &str| {
            connection.execute(command, parameters(script, keys, args)).await
        };
        let answer = match call("EVALSHA", script.sha1()).await {
            Err(error) if is_unknown_script(&error) => call("EVAL", script.text()).await,
            answer => answer,
        };
        // It may be the connection that failed: the next question makes another.
        let answer = answer.inspect_err(|_| KEPT.set(None));
        answer.map_err(failed)?.into_iter().map(whole).collect()
    }
}

#[async_trait]
impl Redis for SpinRedis {
    async fn eval(&self, script: &Script, keys: &[String], args: &[String]) -> Result<Vec<i64>, StoreError> {
        SendWrapper::new(self.ask(script, keys, args)).await
    }
}
