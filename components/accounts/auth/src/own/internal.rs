//! Accounts and the audit log, for other systems, and what `jobs` has done now and then. No route of `spin.toml` leads here from outside, and the key of this
//! application or a service's token is asked for all the same.

use http::StatusCode;
use octo_core::{Clock, Entropy, KeyValue, Problem, Settings, Sql};
use octo_http::{Request, Response, body::Fields, respond};
use serde::Serialize;
use serde_json::json;

use crate::routes::{Auth, account_id};

/// An account, as far as other systems need to know it.
#[derive(Serialize)]
struct Known<'a> {
    id: i64,
    full_name: &'a str,
}

impl<S: Settings, D: Sql, K: KeyValue, C: Clock, E: Entropy> Auth<S, D, K, C, E> {
    /// `GET /internal/accounts/{id}`
    pub(crate) async fn account_for_service(&self, request: Request, id: &str) -> Result<Response, Problem> {
        self.service(&request).await?;
        let account = self.sign_on()?.account(account_id(id)?).await?;
        Ok(respond::json(StatusCode::OK, &Known { id: account.id, full_name: &account.full_name }))
    }

    /// `PUT /internal/accounts/{id}/subscription`: whether a subscription of the account goes on, as of a version.
    pub(crate) async fn note_subscribed(&self, request: Request, id: &str) -> Result<Response, Problem> {
        self.service(&request).await?;
        let id = account_id(id)?;
        let mut fields = Fields::read(request)?;
        let active = fields.boolean("active");
        let version = fields.whole_number("version");
        let (active, version) = fields.finish(active.zip(version))?;
        self.sign_on()?.note_subscribed(id, active, version).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }

    /// `POST /internal/audit`: what an administrator is about to do in another component.
    pub(crate) async fn note_act(&self, request: Request) -> Result<Response, Problem> {
        self.service(&request).await?;
        let mut fields = Fields::read(request)?;
        let actor = fields.whole_number("actor");
        let act = fields.text("act", Ok::<_, String>);
        let dead_letter = fields.whole_number("dead_letter");
        let ((actor, act), dead_letter) = fields.finish(actor.zip(act).zip(dead_letter))?;
        self.sign_on()?.note_act(actor, &act, &json!({ "dead_letter": dead_letter })).await?;
        Ok(respond::empty(StatusCode::NO_CONTENT))
    }
}
