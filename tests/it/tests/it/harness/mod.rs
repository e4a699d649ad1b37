//! The application under test, its users and its providers, in words that let a test read like a story.
//!
//! Time stands still at [`NOON`], in the middle of a window, until a test moves it.

mod call;
pub(crate) mod forger;
mod providers;
mod user;

use std::sync::OnceLock;
use std::time::Duration;

use http::Method;
use octo_host::{App, Clock, Host, Limits, OutboundCall};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use xtask::progress::Progress;
use xtask::servers::Redis;

pub(crate) use call::{Answer, Call};
pub(crate) use providers::{FreeProvider, PaidProvider};
pub(crate) use user::User;

/// When tests begin, in milliseconds since the epoch: 30 s into a window of 60 s.
pub(crate) const NOON: u64 = 1_800_000_030_000;

/// The credential of the paid provider, unless a test sets another.
pub(crate) const PAID_KEY: &str = "the-key-of-the-paid-provider";

/// What makes the first administrator.
pub(crate) const BOOTSTRAP_SECRET: &str = "the bootstrap secret of the tests, long enough";

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Octo, running on one host or on several that share nothing but a store.
pub(crate) struct TestApp {
    setup: Setup,
    hosts: Vec<Host>,
    administrator: OnceCell<User>,
    state: TempDir,
    redis: Option<Redis>,
}

/// What is special about an application that a test is about to start.
#[derive(Clone)]
pub(crate) struct Setup {
    variables: Vec<(String, String)>,
    hosts: usize,
    redis: bool,
    clock: Clock,
    request_time: Option<Duration>,
}

/// The components, built and loaded once.
fn octo() -> &'static App {
    static APP: OnceLock<App> = OnceLock::new();
    APP.get_or_init(|| {
        xtask::build::components(Progress::Quiet).unwrap();
        App::load(&xtask::workspace::root().join("spin.toml")).unwrap()
    })
}

impl Setup {
    fn new() -> Self {
        let setup = Self {
            variables: Vec::new(),
            hosts: 1,
            redis: false,
            clock: Clock::manual(NOON),
            request_time: None,
        };
        setup.with("bootstrap_secret", BOOTSTRAP_SECRET).with("paid_provider_key", PAID_KEY)
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

    /// Has the hosts give up a request after this time.
    pub(crate) fn giving_up_after(self, request_time: Duration) -> Self {
        Self { request_time: Some(request_time), ..self }
    }

    /// Goes by another clock.
    pub(crate) fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub(crate) async fn start(self) -> TestApp {
        let state = tempfile::tempdir().unwrap();
        let redis = self.redis.then(|| Redis::start().unwrap());
        self.start_over(state, redis).await
    }

    async fn start_over(self, state: TempDir, redis: Option<Redis>) -> TestApp {
        let mut hosts = Vec::new();
        for _ in 0..self.hosts {
            let mut builder = Host::builder(octo()).state_dir(state.path()).clock(self.clock.clone());
            for (name, value) in &self.variables {
                builder = builder.variable(name, value);
            }
            if let Some(redis) = &redis {
                let url = redis.url();
                builder = builder.runtime_config(format!(
                    "[key_value_store.default]\ntype = \"redis\"\nurl = \"{url}\"\n"
                ));
            }
            if let Some(request_time) = self.request_time {
                builder = builder.limits(Limits { request_time, ..Limits::default() });
            }
            hosts.push(builder.start().await.unwrap());
        }
        TestApp { setup: self, hosts, administrator: OnceCell::new(), state, redis }
    }
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
        for host in self.hosts {
            host.stop().await;
        }
        let mut setup = self.setup;
        for (name, value) in variables {
            setup = setup.with(name, value);
        }
        setup.start_over(self.state, self.redis).await
    }

    /// The first host.
    pub(crate) fn host(&self) -> &Host {
        &self.hosts[0]
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The clock of all hosts.
    pub(crate) fn clock(&self) -> &Clock {
        self.host().clock()
    }

    /// The Redis server, if there is one.
    pub(crate) fn redis(&self) -> &Redis {
        self.redis.as_ref().expect("this application runs without Redis")
    }

    pub(crate) fn redis_mut(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("this application runs without Redis")
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(0, Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(0, Method::POST, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(0, Method::DELETE, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Call {
        self.call(0, Method::PATCH, path)
    }

    /// A request to one of the hosts.
    pub(crate) fn call(&self, host: usize, method: Method, path: &str) -> Call {
        Call::new(self.hosts[host].addr(), method, path)
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
        let user = self.user(name).await;
        let administrator = self.administrator().await;
        let grant = self.patch(&format!("/users/{}", user.id)).bearer(&administrator.access);
        grant.json(&json!({ "paid_access": true })).await.expect(200);
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
        let calls = self.hosts.iter().flat_map(Host::outbound_calls);
        calls.filter(|call| call.url.contains("-provider.")).collect()
    }

    /// How often a provider was called since the records were last cleared, by its component's id.
    pub(crate) fn calls_to(&self, provider: &str) -> usize {
        let host = format!("//{provider}.");
        self.provider_calls().iter().filter(|call| call.url.contains(&host)).count()
    }

    /// Ends a host at once, as a crash does: what it was doing is lost.
    pub(crate) fn crash(&mut self, host: usize) {
        self.hosts.remove(host).abort();
    }

    pub(crate) fn clear_records(&self) {
        self.hosts.iter().for_each(Host::clear_records);
    }

    /// Everything the components have logged.
    pub(crate) fn log(&self) -> String {
        let lines = self.hosts.iter().flat_map(Host::logs).map(|line| line.text + "\n");
        lines.collect()
    }
}
