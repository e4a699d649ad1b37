//! Postgres servers, as Spin reaches them.
//!
//! Each component has a pool of connections for each address it uses. A connection that comes back to its pool keeps
//! what a transaction left open began; the rest of its state is reset when it is taken again. A statement is prepared
//! anew at every use. No time limit is set but those the address names. Unlike Spin, this host speaks no TLS: an
//! address that requires it (`sslmode=require`) is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures::{TryStreamExt, pin_mut};
use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

use super::postgres_values::{Parameter, columns, values};
use crate::bindings::fermyon::spin::rdbms_types::{Error, RowSet};

/// How many connections a component may have to an address at once; one more waits.
const CONNECTIONS: usize = 64;

/// The pools, by component and address.
#[derive(Default)]
pub(crate) struct Pools(Mutex<HashMap<(Arc<str>, String), Pool>>);

/// A connection that an instance has to itself.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Connection(Object);

/// The servers an address names, each `host` or `host:port`.
pub(crate) fn servers(address: &str) -> Result<Vec<String>, String> {
    let config: Config = address.parse().map_err(|error: tokio_postgres::Error| error.to_string())?;
    let ports = config.get_ports();
    let only = (ports.len() == 1).then(|| ports.first()).flatten();
    let names = config.get_hosts().iter().enumerate().map(|(index, host)| match host {
        Host::Tcp(name) => {
            Ok(ports.get(index).or(only).map_or_else(|| name.clone(), |port| format!("{name}:{port}")))
        }
        Host::Unix(_) => Err("Unix sockets are not supported on WebAssembly".to_owned()),
    });
    names.collect()
}

impl Pools {
    /// A connection to `address`: one that nobody uses, or a new one.
    pub(crate) async fn connect(&self, component: &Arc<str>, address: String) -> Result<Connection, Error> {
        let failed = |error: anyhow::Error| Error::ConnectionFailed(format!("{error:?}"));
        let pool = self.pool(component, address).map_err(failed)?;
        pool.get().await.map(Connection).map_err(|error| failed(error.into()))
    }

    fn pool(&self, component: &Arc<str>, address: String) -> anyhow::Result<Pool> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(component), address);
        if let Some(pool) = pools.get(&key) {
            return Ok(pool.clone());
        }
        let config: Config = key.1.parse().context("parsing Postgres connection string")?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Clean };
        let manager = Manager::from_config(config, NoTls, recycling);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
        pools.insert(key, pool.clone());
        Ok(pool)
    }
}

impl Connection {
    pub(crate) async fn query(&self, statement: &str, parameters: Vec<Parameter>) -> Result<RowSet, Error> {
        let rows = self.0.query_raw(statement, parameters).await.map_err(|error| refused(&error))?;
        pin_mut!(rows);
        let mut set = RowSet { columns: Vec::new(), rows: Vec::new() };
        while let Some(row) = rows.try_next().await.map_err(|error| broke_off(&error))? {
            if set.rows.is_empty() {
                set.columns = columns(&row);
            }
            set.rows.push(values(&row)?);
        }
        Ok(set)
    }

    pub(crate) async fn execute(&self, statement: &str, parameters: Vec<Parameter>) -> Result<u64, Error> {
        self.0.execute_raw(statement, parameters).await.map_err(|error| refused(&error))
    }
}

/// What Spin says of a failure before the first row: its client library's notes, with the SQLSTATE.
fn refused(error: &tokio_postgres::Error) -> Error {
    Error::QueryFailed(format!("{error:?}"))
}

/// What Spin says of a failure from then on, which is where most statements that were understood fail: the same as a
/// part of its own notes.
fn broke_off(error: &tokio_postgres::Error) -> Error {
    let text = format!("{error:?}");
    let inner = match error.as_db_error() {
        Some(known) => {
            let (severity, code) = (known.severity(), known.code().code());
            format!("DbError(DbError {{ as-text: {text:?}, severity: {severity:?}, code: {code:?}, .. }})")
        }
        None => format!("Text({text:?})"),
    };
    Error::QueryFailed(format!("Error::QueryFailed(QueryError::{inner})"))
}
