//! What is measured: the hosts, and one request for each scenario.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use octo_host::{App, Host};
use serde_json::{Map, json};
use xtask::servers::Redis;
use xtask::workspace;

use crate::account;
use crate::load::{Expect, Load};
use crate::sign_on;
use crate::usage::Usage;

/// The name of the scenario that is the host's floor.
pub(crate) const ANSWER: &str = "answer";

/// The name of the scenario that is a gateway's floor.
pub(crate) const CHAIN: &str = "chain";

const MESSAGE: &str = "the quick brown fox";
const PROCESSED: &str = "xof nworb kciuq eht";

/// A limit that no run reaches.
const PLENTY: &str = "1000000000";

/// The longest window there is (31 days), so that no run sees it end.
const LONG: &str = "2678400";

/// `free_window_seconds` when it is not set.
const DEFAULT_WINDOW: &str = "60";

/// The running hosts, each with a state folder that goes with it.
pub(crate) struct Deployment {
    scenarios: Vec<Scenario>,
}

/// One thing to measure.
pub(crate) struct Scenario {
    /// A word for the JSON.
    pub(crate) name: &'static str,
    /// A few words for people.
    pub(crate) title: &'static str,
    /// The request; connections and times are filled in by what drives it.
    pub(crate) load: Load,
    host: Host,
    /// The server that counts free calls; none: they are counted in the key-value store, or none are made.
    _redis: Option<Redis>,
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

    pub(crate) async fn stop(self) {
        for scenario in self.scenarios {
            scenario.host.stop().await;
        }
    }
}

impl Scenario {
    /// A scenario without a Redis server.
    pub(crate) fn new(name: &'static str, title: &'static str, load: Load, host: Host) -> Self {
        Self { name, title, load, host, _redis: None }
    }

    /// What the components did outside themselves since the last time it was forgotten.
    pub(crate) fn usage(&self) -> Usage {
        Usage::of(&self.host)
    }

    /// Empties the host's records, which a benchmark would otherwise fill.
    pub(crate) fn forget_usage(&self) {
        self.host.clear_records();
    }
}

fn open(manifest: &Path) -> anyhow::Result<App> {
    App::load(manifest).with_context(|| format!("cannot load {}", manifest.display()))
}

async fn floor(app: &App, name: &'static str, title: &'static str, path: &str) -> anyhow::Result<Scenario> {
    let host = Host::builder(app).start().await?;
    let load = load(&host, "GET", path, Expect::Body("ok".to_owned()));
    Ok(Scenario::new(name, title, load, host))
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
        vouch_for_a_fresh_provider(redis, way)?;
    }
    let host = builder.start().await?;
    let token = account::token_with_paid_access(&host, &secret).await?;
    // The first message does what is done once, and takes the only free call where there is but one.
    account::send_message(&host, &token, MESSAGE).await?;
    let mut expected = Map::new();
    expected.insert("provider".to_owned(), json!(way.provider));
    expected.insert("response".to_owned(), json!(PROCESSED));
    let mut load = load(&host, "POST", "/messages", Expect::Members(expected));
    load.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    load.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    load.body = json!({ "message": MESSAGE }).to_string();
    Ok(Scenario { name: way.name, title: way.title, load, host, _redis: redis })
}

/// A counter in Redis that finds no state waits until the calls it may have forgotten are over; here there are
/// none (docs/FREE-TIER.md).
fn vouch_for_a_fresh_provider(redis: &Redis, way: &Way) -> anyhow::Result<()> {
    let window = way.variables.iter().find(|(name, _)| *name == "free_window_seconds");
    let seconds = window.map_or(DEFAULT_WINDOW, |(_, seconds)| *seconds);
    redis.ask(&format!("SET {{octo:free}}:aligned:{seconds}000:fresh 1")).map(drop)
}

pub(crate) fn load(host: &Host, method: &str, path: &str, expect: Expect) -> Load {
    Load {
        address: host.addr().to_string(),
        method: method.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
        expect,
        connections: 1,
        warm_up: Duration::ZERO,
        duration: Duration::ZERO,
    }
}
