//! What is measured: the hosts, and one request for each scenario.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use octo_host::{App, Host};
use serde_json::{Map, json};
use xtask::workspace;

use crate::account;
use crate::load::{Expect, Load};

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
    /// The request; connections and times are filled in by whoever drives it.
    pub(crate) load: Load,
    host: Host,
}

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

    /// Starts a host for each way a message can take.
    pub(crate) async fn add_messages(&mut self) -> anyhow::Result<()> {
        let octo = open(&workspace::root().join("spin.toml"))?;
        let free = &[("free_limit", PLENTY)];
        let gone = &[("free_limit", "1"), ("free_window_seconds", LONG)];
        self.scenarios.push(message(&octo, "free", "`POST /messages`, free provider", free).await?);
        self.scenarios.push(message(&octo, "paid", "`POST /messages`, paid provider", gone).await?);
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
    /// The store calls since the last time they were forgotten: `router key-value get` and how many.
    pub(crate) fn store_calls(&self) -> BTreeMap<String, u64> {
        let calls = self.host.store_calls();
        calls
            .iter()
            .map(|(component, operation, count)| (format!("{component} {operation}"), count))
            .collect()
    }

    /// Empties the host's records, which a benchmark would otherwise fill.
    pub(crate) fn forget_calls(&self) {
        self.host.clear_records();
    }
}

fn open(manifest: &Path) -> anyhow::Result<App> {
    App::load(manifest).with_context(|| format!("cannot load {}", manifest.display()))
}

async fn floor(app: &App, name: &'static str, title: &'static str, path: &str) -> anyhow::Result<Scenario> {
    let host = Host::builder(app).start().await?;
    let load = load(&host, "GET", path, Expect::Body("ok".to_owned()));
    Ok(Scenario { name, title, load, host })
}

/// `POST /messages` by one logged-in account with paid access, on a host with these variables.
async fn message(
    app: &App,
    name: &'static str,
    title: &'static str,
    variables: &[(&str, &str)],
) -> anyhow::Result<Scenario> {
    let secret = account::random_secret()?;
    let mut builder = Host::builder(app)
        .variable("bootstrap_secret", &secret)
        // A long run must not outlive its token.
        .variable("access_token_seconds", "3600");
    for (variable, value) in variables {
        builder = builder.variable(*variable, *value);
    }
    let host = builder.start().await?;
    let token = account::token_with_paid_access(&host, &secret).await?;
    // The first message does what is done once, and takes the only free call where there is but one.
    account::send_message(&host, &token, MESSAGE).await?;
    let mut expected = Map::new();
    expected.insert("provider".to_owned(), json!(name));
    expected.insert("response".to_owned(), json!(PROCESSED));
    let mut load = load(&host, "POST", "/messages", Expect::Members(expected));
    load.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    load.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    load.body = json!({ "message": MESSAGE }).to_string();
    Ok(Scenario { name, title, load, host })
}

fn load(host: &Host, method: &str, path: &str, expect: Expect) -> Load {
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
