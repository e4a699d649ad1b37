//! A running host, and how to start one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::app::App;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::http::guest::answer_chained;
use crate::http::{full, inbound};
use crate::logs::{LogLine, LogSink, Logs};
use crate::private;
use crate::records::{HostCalls, OutboundCall, StoreCalls};
use crate::runtime_config::RuntimeConfig;
use crate::services::{Choices, Limits, Services};
use crate::variables::Variables;

/// A host that listens. Dropped, it ends at once.
pub struct Host {
    services: Arc<Services>,
    state_dir: PathBuf,
    /// Removed with the host, when nobody chose a state folder.
    _temporary: Option<TempDir>,
}

/// The choices for a host; each has a default.
pub struct HostBuilder {
    app: App,
    variables: HashMap<String, String>,
    environment: HashMap<String, String>,
    state_dir: Option<PathBuf>,
    runtime_config: ConfigSource,
    clock: Clock,
    limits: Limits,
    listen: SocketAddr,
    log_sink: Option<LogSink>,
    strict: bool,
}

enum ConfigSource {
    None,
    Text(String),
    File(PathBuf),
}

impl Host {
    /// Begins to describe a host for an application.
    pub fn builder(app: &App) -> HostBuilder {
        HostBuilder {
            app: app.clone(),
            variables: HashMap::new(),
            environment: HashMap::new(),
            state_dir: None,
            runtime_config: ConfigSource::None,
            clock: Clock::system(),
            limits: Limits::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            log_sink: None,
            strict: false,
        }
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.services.addr
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.services.addr)
    }

    /// The folder of its SQLite files.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The application it runs.
    pub fn app(&self) -> &App {
        &self.services.app
    }

    /// Sends a request straight to a component, private or not, as a chained call would.
    ///
    /// Fails when there is no such component, or when the answer's body breaks off.
    pub async fn call(&self, component: &str, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let Some(found) = self.services.app.component(component) else {
            bail!("the application has no component {component:?}");
        };
        let mut request = request.map(full);
        let host = format!("{component}.spin.internal");
        *request.uri_mut() = Uri::builder()
            .scheme("http")
            .authority(host.as_str())
            .path_and_query(request.uri().path_and_query().map_or("/", |path| path.as_str()))
            .build()?;
        request.headers_mut().insert(http::header::HOST, host.parse()?);
        let (head, body) = answer_chained(&self.services, found, request).await.into_parts();
        let body = body.collect().await.with_context(|| format!("the answer of {component:?} broke off"))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    /// Gives an application variable a new value, from the next time a component asks for it.
    ///
    /// Fails when the manifest declares no such variable, or when an `allowed_outbound_hosts`
    /// template comes out invalid with it.
    pub fn set_variable(&self, name: &str, value: impl Into<String>) -> Result<()> {
        self.services.set_variable(name, value.into())
    }

    /// What is broken on purpose.
    pub fn faults(&self) -> &Faults {
        &self.services.faults
    }

    /// The outbound HTTP calls that have ended, in the order they began.
    pub fn outbound_calls(&self) -> Vec<OutboundCall> {
        self.services.records.outbound()
    }

    /// How often each component has used its stores.
    pub fn store_calls(&self) -> StoreCalls {
        self.services.records.store_calls()
    }

    /// How often the components went to the host for anything, counted when an instance has ended.
    pub fn host_calls(&self) -> HostCalls {
        self.services.records.host_calls()
    }

    /// Forgets the outbound calls and store calls so far.
    pub fn clear_records(&self) {
        self.services.records.clear();
    }

    /// How many instances are at work now, those that nobody waits for included.
    pub fn instances(&self) -> usize {
        self.services.instances.load(Ordering::Relaxed)
    }

    /// What the components have written, unless the lines go to a sink.
    pub fn logs(&self) -> Vec<LogLine> {
        self.services.logs.lines()
    }

    /// Forgets the log so far.
    pub fn clear_logs(&self) {
        self.services.logs.clear();
    }

    /// The clock the components see.
    pub fn clock(&self) -> &Clock {
        &self.services.clock
    }

    /// Accepts no more requests and ends when those in progress have, and the components that go on after
    /// their answer; after [`Limits::stop_time`] at most.
    pub async fn stop(self) {
        self.services.tasks.stop(self.services.limits.stop_time).await;
    }

    /// Ends at once, as in a crash: connections close, work in progress is lost.
    pub fn abort(self) {}
}

impl Drop for Host {
    fn drop(&mut self) {
        self.services.tasks.abort();
    }
}

impl HostBuilder {
    /// Gives an application variable a value.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The environment to find `SPIN_VARIABLE_*` in; by default empty, whatever the process has.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Where SQLite files live; by default in a new folder that is removed with the host.
    pub fn state_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(folder.into());
        self
    }

    /// A text in the format of Spin's runtime-config file. Paths in it start at the state folder.
    pub fn runtime_config(mut self, text: impl Into<String>) -> Self {
        self.runtime_config = ConfigSource::Text(text.into());
        self
    }

    /// A runtime-config file. Paths in it start at its folder.
    pub fn runtime_config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.runtime_config = ConfigSource::File(path.into());
        self
    }

    /// The clock the components see; by default the machine's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// What requests may cost.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The address to listen on; by default any free port of the loopback interface.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Where log lines go, instead of being kept for [`Host::logs`].
    pub fn log_sink(mut self, sink: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        self.log_sink = Some(Box::new(sink));
        self
    }

    /// Fails what some Spin that applications are to run on cannot do, though Spin's interfaces promise it: a Postgres
    /// query that returns no row never ends on Spin 4.0.0 to 4.1-pre.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Starts the host on the current tokio runtime.
    ///
    /// Fails when a required variable has no value, a store cannot be opened, a setting is invalid or
    /// the address is taken.
    pub async fn start(self) -> Result<Host> {
        let temporary = match &self.state_dir {
            Some(_) => None,
            None => Some(tempfile::tempdir().context("cannot make a state folder")?),
        };
        let given =
            self.state_dir.as_deref().or(temporary.as_ref().map(TempDir::path)).unwrap_or(Path::new("."));
        let config = match &self.runtime_config {
            ConfigSource::None => RuntimeConfig::default(),
            ConfigSource::Text(text) => RuntimeConfig::parse(text, given)?,
            ConfigSource::File(path) => RuntimeConfig::read(path)?,
        };
        let state_dir = match (&self.state_dir, &config.state_dir) {
            (None, Some(configured)) => configured.clone(),
            _ => given.to_owned(),
        };
        private::folder(&state_dir)
            .with_context(|| format!("cannot make the state folder {}", state_dir.display()))?;
        let variables = Variables::new(
            &self.app.manifest().variables,
            self.variables,
            &config.providers,
            &self.environment,
        )?;
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        let choices = Choices {
            app: self.app,
            variables,
            logs: Arc::new(Logs::new(self.log_sink)),
            clock: self.clock,
            limits: self.limits,
            strict: self.strict,
            addr: listener.local_addr()?,
        };
        let services = Arc::new(Services::new(choices, &config, &state_dir)?);
        services.tasks.spawn(inbound::serve(listener, Arc::clone(&services)));
        Ok(Host { services, state_dir, _temporary: temporary })
    }
}
