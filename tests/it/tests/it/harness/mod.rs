//! The application under test, its users and its providers, in words that let a test read like a story.
//!
//! Time stands still at [`NOON`], in the middle of a window, until a test moves it; on a real [`spin`] it runs.

mod call;
mod database;
pub(crate) mod forger;
mod process;
mod providers;
pub(crate) mod spin;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use http::Method;
use octo_host::{App, Clock, Host, Limits, OutboundCall};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use xtask::progress::Progress;
use xtask::servers::{Postgres, Redis, Spin, Start};

use crate::mock_providers::{MockFree, MockPaid};
use database::{Database, Kind};
use spin::left_out;

pub(crate) use call::{Answer, Call};
pub(crate) use providers::{FreeProvider, PaidProvider};
pub(crate) use spin::not_on_spin;
pub(crate) use user::User;

/// When tests begin, in milliseconds since the epoch: 30 s into a window of 60 s.
pub(crate) const NOON: u64 = 1_800_000_030_000;

/// The credential of the paid provider, unless a test sets another.
pub(crate) const PAID_KEY: &str = "the-key-of-the-paid-provider";

/// Free calls in a window, unless a test sets another number.
const FREE_LIMIT: i64 = 10;

/// What makes the first administrator.
pub(crate) const BOOTSTRAP_SECRET: &str = "the bootstrap secret of the tests, long enough";

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Octo, running on one host or on several that share nothing but a store.
pub(crate) struct TestApp {
    setup: Setup,
    /// None on a real Spin.
    hosts: Vec<Host>,
    spins: Vec<Spin>,
    administrator: OnceCell<User>,
    state: TempDir,
    servers: Servers,
}

/// The servers of an application.
#[derive(Default)]
struct Servers {
    /// For the key-value store.
    store: Option<Redis>,
    /// For the counter, unless it shares the other.
    counter: Option<Redis>,
    /// The Postgres server, with a database on it.
    database: Option<Database>,
}

/// What is special about an application that a test is about to start.
#[derive(Clone)]
pub(crate) struct Setup {
    variables: Vec<(String, String)>,
    hosts: usize,
    redis: bool,
    counter: Counter,
    database: Kind,
    clock: Clock,
    request_time: Option<Duration>,
}

/// Where free calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    /// In the key-value store.
    KeyValue,
    /// In a Redis server of their own.
    OwnRedis,
    /// In the Redis server that the key-value store is in.
    StoresRedis,
}

/// The manifest of the lane to test.
fn manifest() -> &'static str {
    if in_wasi_0_3() { xtask::lane::MANIFEST } else { "spin.toml" }
}

/// Whether the components that are built for WASI 0.3, too, are tested as they are there.
pub(crate) fn in_wasi_0_3() -> bool {
    std::env::var_os("OCTO_TEST_WASI").is_some_and(|version| version == "0.3")
}

/// The components, built and loaded once.
fn octo() -> &'static App {
    static APP: OnceLock<App> = OnceLock::new();
    APP.get_or_init(|| {
        xtask::build::components(Progress::Quiet).unwrap();
        App::load(&xtask::workspace::root().join(manifest())).unwrap()
    })
}

impl Setup {
    fn new() -> Self {
        let setup = Self {
            variables: Vec::new(),
            hosts: 1,
            redis: false,
            counter: Counter::KeyValue,
            database: Kind::chosen(),
            clock: Clock::manual(NOON),
            request_time: None,
        };
        setup
            .with("bootstrap_secret", BOOTSTRAP_SECRET)
            .with("paid_provider_key", PAID_KEY)
            .with("free_limit", FREE_LIMIT)
            // No test depends on a network.
            .with("delivery_rate_origin", "http://rate-source.spin.internal")
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Keeps the key-value store in a Redis server of the test's own.
    pub(crate) fn over_redis(self) -> Self {
        Self { redis: true, ..self }
    }

    /// Runs this many isolated hosts over one Redis server. Their sign-on shares a database.
    pub(crate) fn several(self, hosts: usize) -> Self {
        Self { hosts, redis: true, ..self }
    }

    /// Runs this many hosts of one machine, whose key-value store is a file that they share.
    pub(crate) fn several_over_a_file(self, hosts: usize) -> Self {
        Self { hosts, redis: false, ..self }
    }

    /// Counts free calls there.
    pub(crate) fn counting_in(self, counter: Counter) -> Self {
        let redis = self.redis || counter == Counter::StoresRedis;
        Self { counter, redis, ..self }
    }

    /// Keeps the data in an SQLite file.
    pub(crate) fn over_sqlite(self) -> Self {
        Self { database: Kind::Sqlite, ..self }
    }

    /// Keeps the data on the Postgres server that the tests share.
    pub(crate) fn over_postgres(self) -> Self {
        Self { database: Kind::Postgres, ..self }
    }

    /// Keeps the data on a Postgres server of the test's own.
    pub(crate) fn over_its_own_postgres(self) -> Self {
        Self { database: Kind::OwnPostgres, ..self }
    }

    /// Calls these providers instead of the application's own.
    pub(crate) fn calling(self, free: &MockFree, paid: &MockPaid) -> Self {
        self.with("free_provider_origin", free.origin()).with("paid_provider_origin", paid.origin())
    }

    /// Has the hosts give up a request after this time.
    pub(crate) fn giving_up_after(self, request_time: Duration) -> Self {
        not_on_spin("a host that gives up");
        Self { request_time: Some(request_time), ..self }
    }

    /// Goes by another clock.
    pub(crate) fn by(self, clock: Clock) -> Self {
        not_on_spin("another clock");
        Self { clock, ..self }
    }

    pub(crate) async fn start(self) -> TestApp {
        let state = tempfile::tempdir().unwrap();
        let server = |wanted: bool| wanted.then(|| Redis::start().unwrap());
        let servers = Servers {
            store: server(self.redis),
            counter: server(self.counter == Counter::OwnRedis),
            database: Database::new(self.database),
        };
        self.start_over(state, servers).await
    }

    async fn start_over(mut self, state: TempDir, servers: Servers) -> TestApp {
        if self.counter != Counter::KeyValue
            && let Some(redis) = servers.counter.as_ref().or(servers.store.as_ref())
        {
            self = self.with("redis_url", redis.url());
        }
        for (name, value) in servers.database.iter().flat_map(Database::variables) {
            // Those that a test has set come later, and are preferred.
            self.variables.insert(0, (name.to_owned(), value));
        }
        let (mut hosts, mut spins) = (Vec::new(), Vec::new());
        for _ in 0..self.hosts {
            match spin::chosen() {
                Some(program) => {
                    let config = servers.store.as_ref().map(|redis| self.runtime_config(&state, redis));
                    let start = Start {
                        manifest: &xtask::workspace::root().join(manifest()),
                        state: Some(state.path()),
                        runtime_config: config.as_deref(),
                        variables: &self.variables,
                    };
                    spins.push(Spin::start(&program, start).unwrap());
                }
                None => hosts.push(self.start_host(&state, &servers).await),
            }
        }
        TestApp { setup: self, hosts, spins, administrator: OnceCell::new(), state, servers }
    }

    async fn start_host(&self, state: &TempDir, servers: &Servers) -> Host {
        let mut builder = Host::builder(octo()).strict().state_dir(state.path()).clock(self.clock.clone());
        for (name, value) in &self.variables {
            builder = builder.variable(name, value);
        }
        if let Some(redis) = &servers.store {
            builder = builder.runtime_config(store_in(redis));
        }
        if let Some(request_time) = self.request_time {
            builder = builder.limits(Limits { request_time, ..Limits::default() });
        }
        builder.start().await.unwrap()
    }

    /// A file for a host in a process of its own.
    fn runtime_config(&self, state: &TempDir, redis: &Redis) -> PathBuf {
        let file = state.path().join("runtime-config.toml");
        std::fs::write(&file, store_in(redis)).unwrap();
        file
    }
}

/// The runtime-config file that keeps the key-value store in this server.
fn store_in(redis: &Redis) -> String {
    format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{}\"\n", redis.url())
}

impl TestApp {
    /// The application with its defaults.
    pub(crate) async fn start() -> Self {
        Setup::new().start().await
    }

    /// The application with a variable set.
    pub(crate) fn with(name: &str, value: impl ToString) -> Setup {
        Setup::new().with(name, value)
    }

    /// The application with its defaults, before it starts.
    pub(crate) fn setup() -> Setup {
        Setup::new()
    }

    /// Stops all hosts and starts them again over the same state, with these variables changed.
    pub(crate) async fn restart(self, variables: &[(&str, &str)]) -> Self {
        drop(self.spins);
        for host in self.hosts {
            host.stop().await;
        }
        let mut setup = self.setup;
        for (name, value) in variables {
            setup = setup.with(name, value);
        }
        setup.start_over(self.state, self.servers).await
    }

    /// Vouches that the free provider has seen no call, so that a counter in Redis that has no state need not
    /// wait (docs/FREE-TIER.md).
    pub(crate) fn vouch_for_a_fresh_provider(&self) {
        let variable = |wanted: &str| {
            let set = self.setup.variables.iter().rev().find(|(name, _)| name == wanted);
            set.map(|(_, value)| value.as_str()).expect("set by every test that counts in Redis")
        };
        let (model, seconds) = (variable("free_window_model"), variable("free_window_seconds"));
        self.counter().ask(&format!("SET {{octo:free}}:{model}:{seconds}000:fresh 1")).unwrap();
    }

    /// The first host.
    pub(crate) fn host(&self) -> &Host {
        &self.hosts()[0]
    }

    /// The hosts, for what only ours can do.
    pub(crate) fn hosts(&self) -> &[Host] {
        if self.hosts.is_empty() {
            left_out("a controlled clock, faults or the records of a host");
        }
        &self.hosts
    }

    /// Where the hosts listen.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let hosts = self.hosts.iter().map(Host::addr);
        hosts.chain(self.spins.iter().map(Spin::address)).collect()
    }

    /// The time, in milliseconds since the epoch.
    #[expect(clippy::disallowed_methods, reason = "a real Spin goes by the machine's clock")]
    pub(crate) fn now_ms(&self) -> u64 {
        match self.hosts.first() {
            Some(host) => host.clock().now_ms(),
            None => {
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
            }
        }
    }

    /// The clock of all hosts.
    pub(crate) fn clock(&self) -> &Clock {
        self.host().clock()
    }

    /// The Redis server of the key-value store.
    pub(crate) fn redis(&self) -> &Redis {
        self.servers.store.as_ref().expect("this application's store is not in Redis")
    }

    pub(crate) fn redis_mut(&mut self) -> &mut Redis {
        not_on_spin("a store that breaks");
        self.servers.store.as_mut().expect("this application's store is not in Redis")
    }

    /// The application's own Postgres server.
    pub(crate) fn postgres_mut(&mut self) -> &mut Postgres {
        not_on_spin("a database that breaks");
        let own = self.servers.database.as_mut().and_then(Database::own_server);
        own.expect("this application has no Postgres server of its own")
    }

    /// Asks the database itself, for what no response tells: the first column of each row, a line each.
    pub(crate) fn ask_database(&self, statement: &str) -> String {
        match &self.servers.database {
            Some(database) => database.ask(statement).trim().to_owned(),
            None => database::ask_sqlite(self.state.path(), statement),
        }
    }

    /// The Redis server that counts free calls.
    pub(crate) fn counter(&self) -> &Redis {
        self.servers.counter.as_ref().unwrap_or_else(|| self.redis())
    }

    pub(crate) fn counter_mut(&mut self) -> &mut Redis {
        not_on_spin("a counter that breaks");
        let Servers { store, counter, .. } = &mut self.servers;
        counter.as_mut().or(store.as_mut()).expect("this application does not count in Redis")
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(0, Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(0, Method::POST, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Call {
        self.call(0, Method::PATCH, path)
    }

    /// A request to one of the hosts.
    pub(crate) fn call(&self, host: usize, method: Method, path: &str) -> Call {
        Call::new(self.addresses()[host], method, path)
    }

    /// Makes an account; its answer.
    pub(crate) async fn register(&self, email: &str) -> Answer {
        self.post("/auth/register").json(&json!({ "email": email, "password": PASSWORD })).await
    }

    /// Logs in; the answer.
    pub(crate) async fn log_in(&self, email: &str) -> Answer {
        self.post("/auth/login").json(&json!({ "username": email, "password": PASSWORD })).await
    }

    /// A new account, logged in, without paid access.
    pub(crate) async fn user(&self, name: &str) -> User {
        let email = format!("{name}@example.com");
        let account = self.register(&email).await.expect(201);
        let tokens = self.log_in(&email).await.expect(200);
        User::new(self, &account, &tokens)
    }

    /// A new account, logged in, with paid access.
    pub(crate) async fn paying_user(&self, name: &str) -> User {
        let mut user = self.user(name).await;
        let administrator = self.administrator().await;
        let grant = self.patch(&format!("/users/{}", user.id)).bearer(&administrator.access);
        grant.json(&json!({ "paid_access": true })).await.expect(200);
        // Without the stores, what counts is what the token says.
        user.refresh(self).await;
        user
    }

    /// The first administrator, logged in.
    pub(crate) async fn administrator(&self) -> &User {
        self.administrator
            .get_or_init(async || {
                let user = self.user("root").await;
                let make = self.post("/auth/administrators").bearer(BOOTSTRAP_SECRET);
                make.json(&json!({ "email": user.email })).await.expect(200);
                user
            })
            .await
    }

    pub(crate) fn free_provider(&self) -> FreeProvider<'_> {
        FreeProvider(self.host())
    }

    pub(crate) fn paid_provider(&self) -> PaidProvider<'_> {
        PaidProvider(self.host())
    }

    /// The calls all hosts have made to the providers since the records were last cleared.
    pub(crate) fn provider_calls(&self) -> Vec<OutboundCall> {
        let calls = self.hosts().iter().flat_map(Host::outbound_calls);
        calls.filter(|call| call.url.contains("-provider.")).collect()
    }

    /// How often a provider was called since the records were last cleared, by its component's id.
    pub(crate) fn calls_to(&self, provider: &str) -> usize {
        let host = format!("//{provider}.");
        self.provider_calls().iter().filter(|call| call.url.contains(&host)).count()
    }

    /// Ends a host at once, as a crash does: what it was doing is lost.
    pub(crate) fn crash(&mut self, host: usize) {
        if self.spins.is_empty() {
            self.hosts.remove(host).abort();
        } else {
            self.spins.remove(host);
        }
    }

    /// Waits until nothing goes on any more, after the answers either.
    pub(crate) async fn quiet(&self) {
        let all_is_quiet = async {
            while self.hosts().iter().any(|host| host.instances() > 0) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all_is_quiet)
            .await
            .expect("something goes on for ever");
    }

    pub(crate) fn clear_records(&self) {
        self.hosts.iter().for_each(Host::clear_records);
    }

    /// Everything the components have logged.
    pub(crate) fn log(&self) -> String {
        let lines = self.hosts.iter().flat_map(Host::logs).map(|line| line.text + "\n");
        lines.chain(self.spins.iter().map(spin::log)).collect()
    }
}
