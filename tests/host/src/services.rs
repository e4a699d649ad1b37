//! What a running host gives to all its instances.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::allowed_hosts::AllowedHosts;
use crate::app::{App, Component};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::http::workers::Workers;
use crate::logs::{LogSource, Logs};
use crate::records::{Records, StoreCall};
use crate::runtime_config::{KeyValueBackend, RuntimeConfig, SqliteLocation};
use crate::stores::key_value::KeyValueStore;
use crate::stores::{postgres, sqlite};
use crate::tasks::Tasks;
use crate::variables::Variables;

/// The label every host has a store and a database for.
const DEFAULT_LABEL: &str = "default";

/// What requests may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a component may take for one request, its waiting included.
    pub request_time: Duration,
    /// How long a graceful stop waits for what is in progress.
    pub stop_time: Duration,
    /// How long a request's body may be, in bytes.
    pub request_body: u64,
    /// How long a request's head may be, in bytes. It is the size of a buffer: a head that arrives in
    /// large pieces may be somewhat longer.
    pub request_head: usize,
}

impl Default for Limits {
    /// The limits of Fermyon's cloud: 30 seconds, 10 MB; and 64 KiB of head, 10 seconds to stop.
    fn default() -> Self {
        Self {
            request_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
            request_body: 10_000_000,
            request_head: 64 * 1024,
        }
    }
}

/// The inside of a host.
pub(crate) struct Services {
    pub(crate) app: App,
    pub(crate) variables: Variables,
    pub(crate) key_value: HashMap<String, Arc<KeyValueStore>>,
    pub(crate) databases: HashMap<String, SqliteLocation>,
    pub(crate) postgres: postgres::Pools,
    pub(crate) faults: Faults,
    pub(crate) records: Arc<Records>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) strict: bool,
    pub(crate) tasks: Tasks,
    pub(crate) addr: SocketAddr,
    /// How many instances there are.
    pub(crate) instances: AtomicUsize,
    allowed_hosts: RwLock<HashMap<Arc<str>, Arc<AllowedHosts>>>,
    workers: RwLock<HashMap<Arc<str>, Workers>>,
}

/// What the owner of a host chooses.
pub(crate) struct Choices {
    pub(crate) app: App,
    pub(crate) variables: Variables,
    pub(crate) logs: Arc<Logs>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) strict: bool,
    pub(crate) addr: SocketAddr,
}

impl Services {
    /// Opens the stores, those without a place of their own in `state_dir`.
    pub(crate) fn new(choices: Choices, config: &RuntimeConfig, state_dir: &Path) -> Result<Self> {
        let mut backends = config.key_value.clone();
        backends
            .entry(DEFAULT_LABEL.to_owned())
            .or_insert_with(|| KeyValueBackend::Sqlite(Some(state_dir.join("sqlite_key_value.db"))));
        let mut key_value = HashMap::new();
        for (label, backend) in &backends {
            let store =
                KeyValueStore::new(label, backend).with_context(|| format!("key-value store {label:?}"))?;
            key_value.insert(label.clone(), Arc::new(store));
        }
        let mut databases: HashMap<_, _> = config.sqlite.clone().into_iter().collect();
        databases.entry(DEFAULT_LABEL.to_owned()).or_insert_with(|| Some(state_dir.join("sqlite_db.db")));
        for path in databases.values().flatten() {
            // Connections that open a new file at once would refuse one another the change to its log.
            sqlite::make(path).with_context(|| format!("cannot open the database {}", path.display()))?;
        }
        let services = Self {
            key_value,
            databases,
            postgres: postgres::Pools::default(),
            app: choices.app,
            variables: choices.variables,
            faults: Faults::default(),
            records: Arc::default(),
            logs: choices.logs,
            clock: choices.clock,
            limits: choices.limits,
            strict: choices.strict,
            tasks: Tasks::new(),
            addr: choices.addr,
            instances: AtomicUsize::new(0),
            allowed_hosts: RwLock::default(),
            workers: RwLock::default(),
        };
        services.check_labels()?;
        services.resolve_allowed_hosts()?;
        Ok(services)
    }

    /// A label nobody configured would fail at every request; better at the start.
    fn check_labels(&self) -> Result<()> {
        for (id, component) in &self.app.manifest().components {
            for label in &component.key_value_stores {
                ensure!(
                    self.key_value.contains_key(label),
                    "unknown key_value_stores label {label:?} for component {id:?}"
                );
            }
            for label in &component.sqlite_databases {
                ensure!(
                    self.databases.contains_key(label),
                    "unknown sqlite_databases label {label:?} for component {id:?}"
                );
            }
        }
        Ok(())
    }

    /// Changes a variable; refused, and undone, when an allowed host cannot follow.
    pub(crate) fn set_variable(&self, name: &str, value: String) -> Result<()> {
        let before = self.variables.value(name);
        self.variables.set(name, value)?;
        self.resolve_allowed_hosts().inspect_err(|_| {
            if let Some(before) = before {
                let _ = self.variables.set(name, before);
            }
        })
    }

    fn resolve_allowed_hosts(&self) -> Result<()> {
        let components = &self.app.manifest().components;
        let mut resolved = HashMap::new();
        for (id, component) in components {
            let mut rules = Vec::new();
            for entry in &component.allowed_outbound_hosts {
                let rule = entry
                    .resolve(|name| self.variables.require(name))
                    .with_context(|| format!("component {id:?}: allowed_outbound_hosts"))?;
                rules.push(rule);
            }
            let hosts = AllowedHosts::new(rules, components.keys().cloned());
            resolved.insert(Arc::from(id.as_str()), Arc::new(hosts));
        }
        *self.allowed_hosts.write().unwrap_or_else(PoisonError::into_inner) = resolved;
        Ok(())
    }

    /// Where a component may call.
    pub(crate) fn allowed_hosts(&self, component: &str) -> Arc<AllowedHosts> {
        self.allowed_hosts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(component)
            .cloned()
            .unwrap_or_default()
    }

    /// The reused instances of a component, which `make` gives when there are none.
    pub(crate) fn workers(&self, component: &Component, make: impl FnOnce() -> Workers) -> Workers {
        let known = self.workers.read().unwrap_or_else(PoisonError::into_inner).get(&component.id).cloned();
        known.unwrap_or_else(|| {
            let mut workers = self.workers.write().unwrap_or_else(PoisonError::into_inner);
            workers.entry(Arc::clone(&component.id)).or_insert_with(make).clone()
        })
    }

    /// Counts a store call, which lasts as long as the value that is returned.
    pub(crate) fn begin_store_call(&self, component: &Component, operation: &'static str) -> StoreCall {
        self.records.begin_store_call(&component.id, operation)
    }

    /// Logs something about a component that its author should know.
    pub(crate) fn say(&self, component: &Component, text: String) {
        self.logs.write(&component.id, LogSource::Host, text);
    }
}
