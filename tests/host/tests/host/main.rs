//! The host, as a client and as a component sees it. The components are those of `tests/guests`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod chaining;
mod client;
mod faults;
mod http;
mod lifecycle;
mod network;
mod postgres;
mod redis;
mod stores;
mod variables;

use std::sync::OnceLock;

use octo_host::{App, Host};
use xtask::progress::Progress;

use client::{Answer, get, post};

/// The application of `tests/guests`, built and loaded once.
fn guests() -> &'static App {
    static APP: OnceLock<App> = OnceLock::new();
    APP.get_or_init(|| {
        xtask::build::guests(Progress::Quiet).unwrap();
        App::load(&xtask::workspace::root().join("tests/guests/spin.toml")).unwrap()
    })
}

/// A host with the guests and nothing special.
async fn host() -> Host {
    Host::builder(guests()).start().await.unwrap()
}

/// Has the probe do one thing.
async fn probe(host: &Host, what: &str, body: &str) -> Answer {
    post(&host.url(&format!("/probe/me/{what}")), body).await
}

/// What the probe is told by the host, which must not be an error.
async fn said(host: &Host, what: &str, body: &str) -> String {
    let answer = probe(host, what, body).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    answer.body
}

/// The error the probe is told.
async fn refused(host: &Host, what: &str, body: &str) -> String {
    let answer = probe(host, what, body).await;
    assert_eq!(answer.status, 500, "{what}: {}", answer.body);
    answer.body
}

/// The status and the body of a path.
async fn answer(host: &Host, path: &str) -> (u16, String) {
    let answer = get(&host.url(path)).await;
    (answer.status, answer.body)
}
