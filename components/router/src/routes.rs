//! The routes, each readable in one breath: who, what, do, answer.

use http::{Method, StatusCode};
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Redis, Settings, new_id};
use octo_edge::{
    Caller, Request, Response, ServiceKey,
    body::Fields,
    caller::{self, AskAuth},
    respond,
};
use octo_gateway::{
    Config, Message,
    free_tier::{FreeTier, KeyValueFreeTier, RedisFreeTier},
    routing::{Gateway, Routed, Sender},
};
use serde_json::json;

use crate::answers;

/// Largest body read, in bytes: a message of the largest size whose every byte is escaped as `\u00XX`, and
/// room for the JSON around it.
pub(crate) const MAX_BODY: usize = 6 * octo_gateway::message::MAX_BYTES + 1024;

/// The router on its ports.
pub(crate) struct Router<S, K, H, C, E, R> {
    pub(crate) settings: S,
    pub(crate) store: K,
    pub(crate) http: H,
    pub(crate) clock: C,
    pub(crate) entropy: E,
    /// The Redis server at an address.
    pub(crate) redis: fn(String) -> R,
}

impl<S: Settings, K: KeyValue, H: HttpOut, C: Clock, E: Entropy, R: Redis> Router<S, K, H, C, E, R> {
    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        match (request.uri().path().trim_end_matches('/'), request.method()) {
            ("/messages", &Method::POST) => self.send(request).await,
            ("/messages", _) => Err(respond::method_not_allowed("POST")),
            ("/messages/quota", &Method::GET) => self.quota(request).await,
            ("/messages/quota", _) => Err(respond::method_not_allowed("GET")),
            ("/internal/settings", &Method::GET) => self.check_settings(),
            _ => Err(respond::not_found()),
        }
    }

    /// `POST /messages`
    async fn send(&self, request: Request) -> Result<Response, Problem> {
        let caller = self.caller(&request).await?;
        let mut fields = Fields::read(request)?;
        let message = fields.text("message", Message::new);
        let message = fields.finish(message)?;

        let config = Config::read(&self.settings)?;
        let id = new_id(&self.clock, &self.entropy);
        let sender = Sender { paid_access: caller.claims.paid_access };
        let routed = match config.redis.clone().map(self.redis) {
            Some(redis) => {
                let tier = RedisFreeTier::new(&redis, config.model, config.limits);
                self.route(&config, tier, sender, &id, &message).await
            }
            None => {
                let tier = KeyValueFreeTier::new(&self.store, config.limits);
                self.route(&config, tier, sender, &id, &message).await
            }
        };
        answers::routed(&id, routed, &config, self.clock.now())
    }

    async fn route<T: FreeTier>(
        &self,
        config: &Config,
        tier: T,
        sender: Sender,
        id: &str,
        message: &Message,
    ) -> Routed {
        let gateway = Gateway { config, tier, http: &self.http, clock: &self.clock };
        gateway.route(sender, id, message, async || self.paid_key(config).await).await
    }

    /// `GET /messages/quota`
    async fn quota(&self, request: Request) -> Result<Response, Problem> {
        self.caller(&request).await?;
        let config = Config::read(&self.settings)?;
        let now = self.clock.now();
        let status = match config.redis.clone().map(self.redis) {
            Some(redis) => RedisFreeTier::new(&redis, config.model, config.limits).status(now).await?,
            None => KeyValueFreeTier::new(&self.store, config.limits).status(now).await?,
        };
        Ok(answers::quota(&status, &config, now))
    }

    /// `GET /internal/settings`
    fn check_settings(&self) -> Result<Response, Problem> {
        // Whoever reads this answer started the application: it may name the variable.
        Config::read(&self.settings).map_err(|error| {
            let detail = error.to_string();
            Problem { detail, ..Problem::from(error) }
        })?;
        Ok(respond::json(StatusCode::OK, &json!({ "settings": "right" })))
    }

    async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        caller::authenticate(request.headers(), &self.store, &AskAuth(&self.http), &self.clock).await
    }

    /// The operator's credential for the paid provider, or the key shared with our own.
    async fn paid_key(&self, config: &Config) -> Result<Option<String>, octo_core::StoreError> {
        match &config.paid.key {
            Some(key) => Ok(Some(key.clone())),
            None => ServiceKey::new(&self.store, "paid-provider").obtain(&self.entropy).await.map(Some),
        }
    }
}
