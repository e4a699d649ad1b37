//! A Redis server, by its address.

use octo_core::async_trait;
use std::{cell::RefCell, rc::Rc};

use octo_core::{Redis, Script, StoreError};
use send_wrapper::SendWrapper;
use spin_sdk_7::redis::{Connection, Error, RedisParameter, RedisResult};

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
        let binary = |text: &str| RedisParameter::Binary(text.as_bytes().to_vec());
        let call = async |command: &str, name: &str| {
            let mut parameters = vec![binary(name), binary(&keys.len().to_string())];
            parameters.extend(keys.iter().chain(args).map(|text| binary(text)));
            connection.execute(command, parameters).await
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
