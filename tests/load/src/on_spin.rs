//! What is measured on a real Spin, with the free provider outside it.
//!
//! | scenario | what it is |
//! | --- | --- |
//! | answer | a component that only answers: the floor of a request |
//! | chain | a component that calls `answer` and relays |
//! | forward | a component that forwards the request to the provider: the floor of a gateway |
//! | increment | a component that increments a counter of the key-value file: the floor of counting there |
//! | jwks | `GET /.well-known/jwks.json` |
//! | stranger | `POST /messages` without a token: 401 |
//! | free, free-redis | `POST /messages`, processed by the provider; counted in the key-value file, in Redis |
//! | ...-wasi-0.3 | the same in the lane of WASI 0.3 |
//! | peers | any other gateway, on its own address, to the same provider |

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, json};
use xtask::servers::{Redis, Spin, Start};
use xtask::workspace;

use crate::account;
use crate::deployment::{
    ANSWER, CHAIN, DEFAULT_WINDOW, Deployment, FORWARD, LANE, MESSAGE, PLENTY, Scenario, Server, load,
    messages, post, vouch_for_a_fresh_provider,
};
use crate::load::{Expect, Load};
use crate::options::Options;
use crate::upstream::{POINTER, RESULT, Upstream};

/// Another gateway, as its file describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    name: String,
    /// `HOST:PORT`
    address: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: String,
}

/// Octo as it is built for a version of WASI.
struct Lane {
    manifest: &'static str,
    /// What the names of its scenarios end with.
    mark: &'static str,
    /// What their titles begin with.
    title: &'static str,
    /// The manifest of the component that only forwards, where it is not that of the other floors.
    floor: Option<&'static str>,
}

const LANES: [&Lane; 2] = [
    &Lane { manifest: "spin.toml", mark: "", title: "WASI 0.2", floor: None },
    &Lane {
        manifest: xtask::lane::MANIFEST,
        mark: LANE,
        title: "WASI 0.3",
        floor: Some("tests/guests/spin-wasi-0.3.toml"),
    },
];

/// Starts the provider, the Spins, and what they need.
pub(crate) async fn deployment(options: &Options) -> anyhow::Result<Deployment> {
    // It lasts as long as this process.
    let upstream: &'static Upstream = Box::leak(Box::new(Upstream::start(&options.upstream)?));
    let origin = format!("http://{}", upstream.address);
    let mut scenarios = floors(&origin)?;
    for lane in LANES {
        if let Some(floor) = lane.floor {
            scenarios.push(forward(lane, floor, &origin)?);
        }
        if !options.floors {
            scenarios.extend(octo(lane, &origin, false).await?);
            scenarios.extend(octo(lane, &origin, true).await?);
        }
    }
    for file in &options.peers {
        scenarios.push(peer(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(Deployment::of(scenarios))
}

fn spin(manifest: &str, variables: &[(&str, &str)]) -> anyhow::Result<Arc<Spin>> {
    let variables: Vec<_> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let start = Start {
        manifest: &workspace::root().join(manifest),
        state: None,
        runtime_config: None,
        variables: &variables,
    };
    Ok(Arc::new(Spin::start(&Spin::program()?, start)?))
}

fn floors(origin: &str) -> anyhow::Result<Vec<Scenario>> {
    let guests = spin("tests/guests/spin.toml", &[("upstream", origin)])?;
    let at = guests.address();
    let ok = || Expect::Body("ok".to_owned());
    Ok([
        (ANSWER, "a component that only answers", load(at, "GET", "/answer", ok())),
        (CHAIN, "a component that calls it", load(at, "GET", "/chain", ok())),
        (FORWARD, "WASI 0.2: a component that forwards the request", forwarded(at)),
        ("increment", "a component that increments a counter", load(at, "GET", "/increment", ok())),
    ]
    .map(|(name, title, load)| {
        Scenario::new(name, title, load, Server::Spin { _running: Arc::clone(&guests) })
    })
    .into())
}

fn forward(lane: &Lane, floor: &str, origin: &str) -> anyhow::Result<Scenario> {
    let running = spin(floor, &[("upstream", origin)])?;
    let title = format!("{}: a component that forwards the request", lane.title);
    let load = forwarded(running.address());
    Ok(Scenario::new(format!("{FORWARD}{}", lane.mark), title, load, Server::Spin { _running: running }))
}

fn forwarded(at: SocketAddr) -> Load {
    post(at, "/forward", &json!({ "message": MESSAGE }), Expect::Members(Map::new()))
}

/// Octo with everything as it is set after installation, but for the provider and where free calls are counted.
async fn octo(lane: &Lane, origin: &str, in_redis: bool) -> anyhow::Result<Vec<Scenario>> {
    let secret = account::random_secret()?;
    let redis = if in_redis { Some(Redis::start()?) } else { None };
    let url = redis.as_ref().map(Redis::url);
    let mut variables = vec![
        ("bootstrap_secret", secret.as_str()),
        // A long run must not outlive its token.
        ("access_token_seconds", "3600"),
        ("free_limit", PLENTY),
        ("free_provider_origin", origin),
        ("free_provider_response_pointer", POINTER),
    ];
    if let (Some(redis), Some(url)) = (&redis, &url) {
        variables.push(("redis_url", url));
        vouch_for_a_fresh_provider(redis, DEFAULT_WINDOW)?;
    }
    let octo = spin(lane.manifest, &variables)?;
    let at = octo.address();
    let token = account::token_with_paid_access(at, &secret).await?;
    account::send_message(at, &token, MESSAGE).await?;
    let expected =
        Map::from_iter([("provider".to_owned(), json!("free")), ("response".to_owned(), json!(RESULT))]);
    let scenario = |name: &str, what: &str, load| {
        let (name, title) = (format!("{name}{}", lane.mark), format!("{}: {what}", lane.title));
        Scenario::new(name, title, load, Server::Spin { _running: Arc::clone(&octo) })
    };
    let free = messages(at, &token, expected);
    if in_redis {
        let what = "`POST /messages`, counted in Redis";
        return Ok(vec![scenario("free-redis", what, free).counted_in(redis)]);
    }
    let mut stranger = Load { status: 401, expect: Expect::Members(Map::new()), ..free.clone() };
    stranger.headers.retain(|(name, _)| name != "authorization");
    let jwks = load(at, "GET", "/.well-known/jwks.json", Expect::Members(Map::new()));
    let mut scenarios = vec![
        scenario("stranger", "`POST /messages` without a token", stranger),
        scenario("free", "`POST /messages`, counted in the key-value file", free),
    ];
    // The component of sign-on is the same in both lanes.
    if lane.mark.is_empty() {
        scenarios.push(scenario("jwks", "`GET /.well-known/jwks.json`", jwks));
    }
    Ok(scenarios)
}

fn peer(file: &Path) -> anyhow::Result<Scenario> {
    let Peer { name, address, path, headers, body } = serde_json::from_slice(&fs::read(file)?)?;
    let load = Load {
        headers: headers.into_iter().collect(),
        body,
        ..load(address.parse()?, "POST", &path, Expect::Members(Map::new()))
    };
    Ok(Scenario::new(name.clone(), name, load, Server::Outside))
}
