//! What is measured: the hosts, and one request for each scenario.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use octo_host::{App, Host};
use serde_json::{Map, Value, json};
use xtask::servers::{Redis, Spin};
use xtask::workspace;

use crate::account;
use crate::load::{Expect, Load};
use crate::sign_on;
use crate::usage::Usage;

/// The name of the scenario that is the host's floor.
pub(crate) const ANSWER: &str = "answer";

/// The name of the scenario that is the floor of a gateway to providers of the same application.
pub(crate) const CHAIN: &str = "chain";

/// The name of the scenario that is the floor of a gateway to a provider outside.
pub(crate) const FORWARD: &str = "forward";

/// What the names of the scenarios of the lane of WASI 0.3 end with, its floor of forwarding included.
pub(crate) const LANE: &str = "-wasi-0.3";

pub(crate) const MESSAGE: &str = "the quick brown fox";
const PROCESSED: &str = "xof nworb kciuq eht";

/// A limit that no run reaches.
pub(crate) const PLENTY: &str = "1000000000";

/// The longest window there is (31 days), so that no run sees it end.
const LONG: &str = "2678400";

/// `free_window_seconds` when it is not set.
pub(crate) const DEFAULT_WINDOW: &str = "60";

/// The running servers, each with a state folder that goes with it.
pub(crate) struct Deployment {
    scenarios: Vec<Scenario>,
}

/// One thing to measure.
pub(crate) struct Scenario {
    /// A word for the JSON.
    pub(crate) name: String,
    /// A few words for people.
    pub(crate) title: String,
    /// The request; connections and times are filled in by what drives it.
    pub(crate) load: Load,
    server: Server,
    /// The server that counts free calls; none: they are counted in the key-value store, or none are made.
    _redis: Option<Redis>,
}

/// What answers the requests of a scenario.
pub(crate) enum Server {
    /// Our own host.
    Ours(Host),
    /// A real Spin, which others may share.
    Spin {
        /// Ends when its last scenario does.
        _running: Arc<Spin>,
    },
    /// Somebody else's.
    Outside,
}

/// A way that messages take.
struct Way {
    name: &'static str,
    title: &'static str,
    /// Who processes them.
    provider: &'static str,
    variables: &'static [(&'static str, &'static str)],
    /// Whether a Redis server counts.
    redis: bool,
}

/// A limit that is never reached, and one that is reached at once and for good.
const WAYS: [Way; 4] = [
    Way {
        name: "free",
        title: "`POST /messages`, free provider",
        provider: "free",
        variables: &[("free_limit", PLENTY)],
        redis: false,
    },
    Way {
        name: "free-redis",
        title: "the same, counted in Redis",
        provider: "free",
        variables: &[("free_limit", PLENTY)],
        redis: true,
    },
    Way {
        name: "paid",
        title: "`POST /messages`, paid provider",
        provider: "paid",
        variables: &[("free_limit", "1"), ("free_window_seconds", LONG)],
        redis: false,
    },
    Way {
        name: "paid-redis",
        title: "the same, counted in Redis",
        provider: "paid",
        variables: &[("free_limit", "1"), ("free_window_seconds", LONG)],
        redis: true,
    },
];

impl Deployment {
    /// Starts a host for each of the floors. (An idle host costs the others nothing.)
    pub(crate) async fn floors() -> anyhow::Result<Self> {
        let guests = open(&workspace::root().join("tests/guests/spin.toml"))?;
        let scenarios = vec![
            floor(&guests, ANSWER, "a component that only answers", "/answer").await?,
            floor(&guests, CHAIN, "a chained call", "/chain").await?,
        ];
        Ok(Self { scenarios })
    }

    /// Starts a host for each way a message can take, and for signing on.
    pub(crate) async fn add_messages(&mut self) -> anyhow::Result<()> {
        let octo = open(&workspace::root().join("spin.toml"))?;
        for way in &WAYS {
            self.scenarios.push(message(&octo, way).await?);
        }
        self.scenarios.extend(sign_on::scenarios(&octo).await?);
        Ok(())
    }

    pub(crate) fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// Measures these.
    pub(crate) fn of(scenarios: Vec<Scenario>) -> Self {
        Self { scenarios }
    }

    pub(crate) async fn stop(self) {
        for scenario in self.scenarios {
            if let Server::Ours(host) = scenario.server {
                host.stop().await;
            }
        }
    }
}

impl Scenario {
    /// A scenario without a Redis server.
    pub(crate) fn new(name: impl Into<String>, title: impl Into<String>, load: Load, server: Server) -> Self {
        Self { name: name.into(), title: title.into(), load, server, _redis: None }
    }

    /// With the server that counts free calls, which lives as long as the scenario.
    pub(crate) fn counted_in(self, redis: Option<Redis>) -> Self {
        Self { _redis: redis, ..self }
    }

    /// What the components did outside themselves since the last time it was forgotten. Only our own host knows.
    pub(crate) fn usage(&self) -> Usage {
        match &self.server {
            Server::Ours(host) => Usage::of(host),
            Server::Spin { .. } | Server::Outside => Usage::default(),
        }
    }

    /// Empties the host's records, which a benchmark would otherwise fill.
    pub(crate) fn forget_usage(&self) {
        if let Server::Ours(host) = &self.server {
            host.clear_records();
        }
    }
}

fn open(manifest: &Path) -> anyhow::Result<App> {
    App::load(manifest).with_context(|| format!("cannot load {}", manifest.display()))
}

async fn floor(app: &App, name: &'static str, title: &'static str, path: &str) -> anyhow::Result<Scenario> {
    let host = Host::builder(app).start().await?;
    let load = load(host.addr(), "GET", path, Expect::Body("ok".to_owned()));
    Ok(Scenario::new(name, title, load, Server::Ours(host)))
}

/// `POST /messages` by one logged-in account with paid access, on a host of its own.
async fn message(app: &App, way: &Way) -> anyhow::Result<Scenario> {
    let secret = account::random_secret()?;
    let mut builder = Host::builder(app)
        .variable("bootstrap_secret", &secret)
        // A long run must not outlive its token.
        .variable("access_token_seconds", "3600");
    for (variable, value) in way.variables {
        builder = builder.variable(*variable, *value);
    }
    let redis = if way.redis { Some(Redis::start()?) } else { None };
    if let Some(redis) = &redis {
        builder = builder.variable("redis_url", redis.url());
        let window = way.variables.iter().find(|(name, _)| *name == "free_window_seconds");
        vouch_for_a_fresh_provider(redis, window.map_or(DEFAULT_WINDOW, |(_, seconds)| seconds))?;
    }
    let host = builder.start().await?;
    let token = account::token_with_paid_access(host.addr(), &secret).await?;
    // The first message does what is done once, and takes the only free call where there is but one.
    account::send_message(host.addr(), &token, MESSAGE).await?;
    let mut expected = Map::new();
    expected.insert("provider".to_owned(), json!(way.provider));
    expected.insert("response".to_owned(), json!(PROCESSED));
    let load = messages(host.addr(), &token, expected);
    Ok(Scenario::new(way.name, way.title, load, Server::Ours(host)).counted_in(redis))
}

/// `POST /messages` by the user of this token.
pub(crate) fn messages(at: SocketAddr, token: &str, expected: Map<String, Value>) -> Load {
    let mut load = post(at, "/messages", &json!({ "message": MESSAGE }), Expect::Members(expected));
    load.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    load
}

/// `POST` of a JSON body.
pub(crate) fn post(at: SocketAddr, path: &str, body: &Value, expect: Expect) -> Load {
    let mut load = load(at, "POST", path, expect);
    load.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    load.body = body.to_string();
    load
}

/// A counter in Redis that finds no state waits until the calls it may have forgotten are over; here there are
/// none (docs/FREE-TIER.md).
pub(crate) fn vouch_for_a_fresh_provider(redis: &Redis, window_seconds: &str) -> anyhow::Result<()> {
    redis.ask(&format!("SET {{octo:free}}:aligned:{window_seconds}000:fresh 1")).map(drop)
}

pub(crate) fn load(at: SocketAddr, method: &str, path: &str, expect: Expect) -> Load {
    Load {
        address: at.to_string(),
        method: method.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
        status: 200,
        expect,
        connections: 1,
        warm_up: Duration::ZERO,
        duration: Duration::ZERO,
    }
}
