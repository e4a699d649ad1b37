//! Which request is whose: ours, or the original's.

use std::{cell::Cell, time::Duration};

use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql};
use octo_http::{Request, Response, drained::Drained, path, respond};
use octo_subscriptions::{Config, Event, Reply, Subscriptions};

use crate::{accounts::AtAuth, answers, contract_001};

/// Largest body read, in bytes: all of them are small.
pub(crate) const MAX_BODY: usize = 16 * 1024;

/// How long one request for it performs notifications.
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// Subscriptions on their ports.
pub(crate) struct Service<S, D, K, H, C, E> {
    pub(crate) settings: S,
    pub(crate) sql: D,
    pub(crate) store: K,
    pub(crate) http: H,
    pub(crate) clock: C,
    pub(crate) entropy: E,
    /// Something was left undone when the caller was answered.
    pub(crate) unfinished: Cell<bool>,
}

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Service<S, D, K, H, C, E> {
    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        let path = request.uri().path().to_owned();
        if contract_001::has(&path) {
            return self.contract_001(request).await;
        }
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        match (parts.as_slice(), request.method().as_str()) {
            (["subscriptions"], "POST") => self.purchase(request).await,
            (["subscriptions"], "GET") => self.list(request).await,
            (["subscriptions", "replies", id], "GET") => self.reply(request, id).await,
            (["subscriptions", id], "GET") => self.subscription(request, id).await,
            (["subscriptions", id, "history"], "GET") => self.history(request, id).await,
            (["subscriptions", id, "cancel"], "POST") => self.change(request, id, Event::Canceled).await,
            (["subscriptions", id, "restart"], "POST") => self.change(request, id, Event::Restarted).await,
            (["internal", "jobs", "drain"], "POST") => self.drain(request).await,
            (["subscriptions"], _) => Err(respond::method_not_allowed("GET, POST")),
            (["subscriptions", "replies", _] | ["subscriptions", _] | ["subscriptions", _, "history"], _) => {
                Err(respond::method_not_allowed("GET"))
            }
            (["subscriptions", _, "cancel" | "restart"] | ["internal", "jobs", "drain"], _) => {
                Err(respond::method_not_allowed("POST"))
            }
            _ => Err(respond::not_found()),
        }
    }

    /// `POST /internal/jobs/drain`
    async fn drain(&self, request: Request) -> Result<Response, Problem> {
        self.component(&request).await?;
        let accounts = self.accounts();
        let until = self.clock.now() + DRAINED_FOR;
        let drained = self.subscriptions(&accounts, &self.config()?).drain(until).await?;
        let body = Drained { performed: drained.performed, failed: drained.failed, more: drained.more };
        Ok(body.into_response())
    }

    /// Goes on where a caller did not want to wait any longer; what cannot be done now is left to the scheduler.
    pub(crate) async fn finish(&self) {
        if self.unfinished.get()
            && let Ok(config) = self.config()
        {
            let accounts = self.accounts();
            let until = self.clock.now() + DRAINED_FOR;
            // A failure is noted with the job, and leaves it to the next who drains.
            let _left_to_others = self.subscriptions(&accounts, &config).drain(until).await;
        }
    }

    /// Notes what is left to do after the answer.
    pub(crate) fn leave(&self, reply: &Reply) {
        self.unfinished.set(*reply == Reply::Waiting);
    }

    pub(crate) fn config(&self) -> Result<Config, Problem> {
        Ok(Config::read(&self.settings)?)
    }

    pub(crate) fn accounts(&self) -> AtAuth<'_, K, H, E> {
        AtAuth { store: &self.store, http: &self.http, entropy: &self.entropy }
    }

    pub(crate) fn subscriptions<'a>(
        &'a self,
        accounts: &'a AtAuth<'a, K, H, E>,
        config: &Config,
    ) -> Subscriptions<'a, D, AtAuth<'a, K, H, E>, C, E> {
        Subscriptions::new(&self.sql, accounts, &self.clock, &self.entropy, config.legacy_rules)
    }
}

/// The number of a subscription, as its path has it.
pub(crate) fn subscription_id(text: &str) -> Result<i64, Problem> {
    path::id(text).ok_or_else(answers::no_such_subscription)
}
