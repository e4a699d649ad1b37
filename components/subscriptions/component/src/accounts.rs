//! The accounts, which `auth` has.

use std::time::Duration;

use http::{Method, StatusCode};
use octo_core::{async_trait, ports::CallLimits};
use octo_http::App;
use octo_subscriptions::{Accounts, Away};
use serde::Deserialize;
use serde_json::json;

/// A caller waits up to 25 s for a notification to be performed, and platforms give up after 30 s. At first use `auth` may
/// have to make what it needs, for many at once.
const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(10), max_answer: 16 * 1024 };

/// Calls `auth`, with the key that this application's components share.
#[derive(Debug)]
pub(crate) struct AccountsInAuth<'a>(pub(crate) &'a App);

/// What `auth` says of an account.
#[derive(Deserialize)]
struct AccountBody {
    full_name: String,
}

#[async_trait]
impl Accounts for AccountsInAuth<'_> {
    async fn full_name(&self, user_id: i64) -> Result<Option<String>, Away> {
        let response = self.call(Method::GET, &user_id.to_string(), "").await?;
        match response.status() {
            StatusCode::OK => {
                let account: AccountBody = serde_json::from_slice(response.body()).map_err(away)?;
                Ok(Some(account.full_name))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(away(status)),
        }
    }

    async fn note_subscribed(&self, user_id: i64, active: bool, version: i64) -> Result<(), Away> {
        let note = json!({ "active": active, "version": version }).to_string();
        let response = self.call(Method::PUT, &format!("{user_id}/subscription"), &note).await?;
        match response.status() {
            // Nobody can use an account that is gone.
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            status => Err(away(status)),
        }
    }
}

impl AccountsInAuth<'_> {
    async fn call(&self, method: Method, path: &str, json: &str) -> Result<http::Response<Vec<u8>>, Away> {
        let auth = self.0.component("auth");
        auth.ask(method, &format!("/internal/accounts/{path}"), json, LIMITS).await.map_err(away)
    }
}

fn away(cause: impl ToString) -> Away {
    Away(cause.to_string())
}
