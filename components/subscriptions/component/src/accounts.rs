//! The accounts, which `auth` has.

use octo_core::async_trait;
use std::time::Duration;

use http::{Method, StatusCode};
use octo_core::{Entropy, HttpOut, KeyValue, ports::CallLimits};
use octo_http::Component;
use octo_subscriptions::{Accounts, Away};
use serde::Deserialize;
use serde_json::json;

/// A caller waits up to 25 s for a notification to be performed, and platforms give up after 30 s. At first use `auth` may
/// have to make what it needs, for many at once.
const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(10), max_answer: 16 * 1024 };

/// Asks and tells `auth`, with the key that this application's components share.
#[derive(Debug)]
pub(crate) struct AtAuth<'a, K, H, E> {
    pub(crate) store: &'a K,
    pub(crate) http: &'a H,
    pub(crate) entropy: &'a E,
}

#[derive(Deserialize)]
struct Known {
    full_name: String,
}

#[async_trait]
impl<K: KeyValue, H: HttpOut, E: Entropy> Accounts for AtAuth<'_, K, H, E> {
    async fn full_name(&self, user_id: i64) -> Result<Option<String>, Away> {
        let answer = self.send(Method::GET, &user_id.to_string(), "").await?;
        match answer.status() {
            StatusCode::OK => {
                let known: Known = serde_json::from_slice(answer.body()).map_err(away)?;
                Ok(Some(known.full_name))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(away(status)),
        }
    }

    async fn note_subscribed(&self, user_id: i64, active: bool, version: i64) -> Result<(), Away> {
        let note = json!({ "active": active, "version": version }).to_string();
        let answer = self.send(Method::PUT, &format!("{user_id}/subscription"), &note).await?;
        match answer.status() {
            // Nobody can use an account that is gone.
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            status => Err(away(status)),
        }
    }
}

impl<K: KeyValue, H: HttpOut, E: Entropy> AtAuth<'_, K, H, E> {
    async fn send(&self, method: Method, path: &str, json: &str) -> Result<http::Response<Vec<u8>>, Away> {
        let auth = Component { name: "auth", store: self.store, http: self.http, entropy: self.entropy };
        auth.ask(method, &format!("/internal/accounts/{path}"), json, LIMITS).await.map_err(away)
    }
}

fn away(cause: impl ToString) -> Away {
    Away(cause.to_string())
}
