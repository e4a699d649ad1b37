//! What signing on costs: a login, a refresh, and a look at a token by its record and by its signature.
//!
//! The host's clock stands still, so that one refresh token can be sent again and again: the answer to a refresh may
//! have been lost.

use std::net::SocketAddr;

use octo_host::{App, Clock, Host};
use serde_json::{Map, Value, json};

use crate::account::{self, Account};
use crate::deployment::{Scenario, Server, load, post};
use crate::load::{Expect, Load};

/// When: any time will do.
const NOON: u64 = 1_800_000_030_000;

/// With the parameters of the hash, for what a login costs is what the hash costs.
const LOGIN: &str = "`POST /auth/login`, argon2id m=19456 t=2 p=1";

/// A scenario for each, with hosts of their own.
pub(crate) async fn scenarios(app: &App) -> anyhow::Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for (name, title, request) in [
        ("login", LOGIN, login as fn(SocketAddr, &Account) -> Load),
        ("refresh", "`POST /auth/refresh`", refresh),
        ("token-record", "`GET /messages/quota`, token known by its record", known_by_record),
        ("token-signature", "the same, token known by its Ed25519 signature", known_by_signature),
    ] {
        let host = Host::builder(app).clock(Clock::manual(NOON)).start().await?;
        let account = account::with_two_tokens(host.addr()).await?;
        let load = request(host.addr(), &account);
        scenarios.push(Scenario::new(name, title, load, Server::Ours(host)));
    }
    Ok(scenarios)
}

fn login(at: SocketAddr, account: &Account) -> Load {
    let body = json!({ "username": account.username, "password": account.password });
    post(at, "/auth/login", &body, bearer())
}

fn refresh(at: SocketAddr, account: &Account) -> Load {
    post(at, "/auth/refresh", &json!({ "refresh_token": account.refresh_token }), bearer())
}

fn known_by_record(at: SocketAddr, account: &Account) -> Load {
    quota(at, &account.newest_token)
}

fn known_by_signature(at: SocketAddr, account: &Account) -> Load {
    quota(at, &account.older_token)
}

fn quota(at: SocketAddr, token: &str) -> Load {
    let mut load = load(at, "GET", "/messages/quota", members("used", json!(0)));
    load.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    load
}

fn bearer() -> Expect {
    members("token_type", json!("Bearer"))
}

fn members(name: &str, value: Value) -> Expect {
    Expect::Members(Map::from_iter([(name.to_owned(), value)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_identity::password::{LANES, MEMORY_KIB, PASSES};

    #[test]
    fn a_login_is_shown_with_the_parameters_of_its_hash() {
        assert!(LOGIN.ends_with(&format!("argon2id m={MEMORY_KIB} t={PASSES} p={LANES}")), "{LOGIN}");
    }
}
