//! The routes, each readable in one breath: who, what, do, answer.

use std::cell::RefCell;

use http::{Method, StatusCode};
use octo_admission::{Application, Asked, Desk, Either, Local, Refusal, Remote};
use octo_core::{
    Clock, Entropy, HttpOut, KeyValue, Problem, Settings, UnixMillis, new_id,
    ports::{NoKeyValue, NoRedis},
};
use octo_edge::{
    Caller, Request, Response,
    body::Fields,
    caller::{self, AskAuth},
    prefer, respond,
};
use octo_gateway::{
    Config, Message,
    admission::{Admission, Ending},
    routing::{Dispatch, Gateway, Routed},
};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::{
    answers,
    contract_000::{self, Call},
    figures,
};

/// Largest body read, in bytes: a message of the largest size whose every byte is escaped as `\u00XX`, and
/// room for the JSON around it.
pub(crate) const MAX_BODY: usize = 6 * octo_gateway::message::MAX_BYTES + 1024;

/// The router on its ports.
pub(crate) struct Router<S, K, H, C, E> {
    pub(crate) settings: S,
    pub(crate) store: K,
    pub(crate) http: H,
    pub(crate) clock: C,
    pub(crate) entropy: E,
    /// What the stores are to be told once the client has its answer.
    pub(crate) unfinished: RefCell<Option<Ending>>,
}

impl<S: Settings, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Router<S, K, H, C, E> {
    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request) -> Result<Response, Problem> {
        if contract_000::has(request.uri().path()) {
            return self.send_as_contract_000(request).await;
        }
        match (request.uri().path().trim_end_matches('/'), request.method()) {
            ("/messages", &Method::POST) => self.send(request).await,
            ("/messages", _) => Err(respond::method_not_allowed("POST")),
            ("/messages/quota", &Method::GET) => self.quota(request).await,
            ("/messages/quota", _) => Err(respond::method_not_allowed("GET")),
            ("/messages/stats", &Method::GET) => self.stats(request).await,
            ("/messages/stats", _) => Err(respond::method_not_allowed("GET")),
            ("/metrics", &Method::GET) => self.metrics(request).await,
            ("/metrics", _) => Err(respond::method_not_allowed("GET")),
            ("/internal/settings", &Method::GET) => self.check_settings(),
            _ => Err(respond::not_found()),
        }
    }

    /// Tells the stores what is left to tell.
    pub(crate) async fn finish(&self) {
        let Some(ending) = self.unfinished.take() else { return };
        let Ok(config) = Config::read(&self.settings) else { return };
        if let Err(error) = self.desk(&config).finish(&ending).await {
            println!("{}", json!({ "component": "router", "store_error": error.to_string() }));
        }
    }

    /// `POST /messages`
    async fn send(&self, request: Request) -> Result<Response, Problem> {
        let token = caller::token(&request).map(str::to_owned);
        let config = Config::read(&self.settings)?;
        let id = new_id(&self.clock, &self.entropy);
        let wait = prefer::wait(request.headers());
        let wait_until = wait.map(|wait| self.clock.now() + wait);
        let message = read_message(request);
        let mut response = match self.dispatch(&config, token, &id, message, wait_until).await {
            Ok(routed) => answers::routed(&id, routed, &config, self.clock.now())?,
            Err(refusal) => answers::refused(refusal)?,
        };
        if let Some(applied) = wait.and_then(prefer::applied) {
            response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
        }
        Ok(response)
    }

    /// `POST /free_provider` and `POST /paid_provider`
    async fn send_as_contract_000(&self, request: Request) -> Result<Response, Problem> {
        let (token, message) = match contract_000::read(&request) {
            Call::Send { token, message } => (token, Message::maybe_empty(message)),
            Call::Answered(response) => return Ok(response),
        };
        let config = Config::read(&self.settings)?;
        let id = new_id(&self.clock, &self.entropy);
        let message = message.map_err(|error| Problem::invalid("message", error.to_string()));
        let now = || self.clock.now();
        match self.dispatch(&config, Some(token), &id, message, None).await {
            Ok(routed) => match contract_000::routed(&id, &routed, now()) {
                Some(response) => Ok(response),
                None => answers::routed(&id, routed, &config, now()),
            },
            Err(refusal) if refusal.status() == Some(StatusCode::UNAUTHORIZED) => {
                Ok(contract_000::bad_token())
            }
            Err(refusal) => answers::refused(refusal),
        }
    }

    /// Lets the message in and sends it its way. A sender who is not known learns nothing about the message.
    async fn dispatch(
        &self,
        config: &Config,
        token: Option<String>,
        id: &str,
        message: Result<Message, Problem>,
        wait_until: Option<UnixMillis>,
    ) -> Result<Routed, Refusal> {
        let desk = self.desk(config);
        let needs_paid_key = config.paid.key.is_none();
        let asked = message.is_ok().then(|| Asked { id: id.to_owned(), wait_until, needs_paid_key });
        let application = Application { token, message: asked };
        let asked_at = self.clock.now();
        let (caller, admitted) = match desk.admit(&application).await {
            Ok(entry) => (entry.caller, entry.admitted),
            Err(Refusal::Away(error)) => {
                (self.known_by_signature(application.token.as_deref()).await?, Some(Err(error)))
            }
            Err(refusal) => return Err(refusal),
        };
        let message = message?;
        let admitted = admitted.ok_or_else(Problem::internal)?;
        let (free, paid, http, clock) = (&config.free, &config.paid, &self.http, &self.clock);
        let gateway = Gateway { free, paid, admission: &desk, http, clock };
        let paid_access = caller.claims.paid_access;
        let dispatch = Dispatch { id, message: &message, paid_access, asked_at, wait_until };
        let mut routed = gateway.route(&dispatch, admitted).await;
        self.unfinished.replace(Some(std::mem::take(&mut routed.ending)));
        Ok(routed)
    }

    /// `GET /messages/quota`
    async fn quota(&self, request: Request) -> Result<Response, Problem> {
        let config = Config::read(&self.settings)?;
        let desk = self.desk(&config);
        if let Err(refusal) = desk.admit(&known(&request)).await {
            return answers::refused(refusal);
        }
        let status = desk.status().await?;
        Ok(answers::quota(&status, &config, self.clock.now()))
    }

    /// `GET /messages/stats`
    async fn stats(&self, request: Request) -> Result<Response, Problem> {
        let config = Config::read(&self.settings)?;
        let desk = self.desk(&config);
        if let Err(refusal) = desk.admit(&known(&request)).await {
            return answers::refused(refusal);
        }
        Ok(figures::stats(&desk.figures().await?, config.tier.limits.window))
    }

    /// `GET /metrics`
    async fn metrics(&self, request: Request) -> Result<Response, Problem> {
        let config = Config::read(&self.settings)?;
        let desk = self.desk(&config);
        if !self.scrapes(&request)
            && let Err(refusal) = desk.admit(&known(&request)).await
        {
            return answers::refused(refusal);
        }
        Ok(figures::metrics(&desk.figures().await?, &desk.status().await?, self.clock.now()))
    }

    /// Whether the request carries the key that the operator gave to whoever collects the metrics.
    fn scrapes(&self, request: &Request) -> bool {
        let key = self.settings.get("metrics_key").filter(|key| !key.is_empty());
        let (Some(key), Some(presented)) = (key, caller::bearer(request.headers())) else { return false };
        key.as_bytes().ct_eq(presented.as_bytes()).into()
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

    /// The stores, asked right here if they are on this machine.
    fn desk<'a>(&'a self, config: &'a Config) -> Either<'a, K, NoRedis, H, C, E> {
        let Self { store, http, clock, entropy, .. } = self;
        match config.tier.redis {
            Some(_) => Either::Remote(Remote { http, timeout: config.admission_timeout }),
            None => {
                let config = &config.tier;
                Either::Local(Local { config, store, redis: None, http, clock, entropy })
            }
        }
    }

    /// Who sends the request, without the shared store.
    async fn known_by_signature(&self, token: Option<&str>) -> Result<Caller, Problem> {
        caller::authenticate(token, &NoKeyValue, &AskAuth(&self.http), &self.clock).await
    }
}

/// The application of somebody who only wants to look.
fn known(request: &Request) -> Application {
    Application { token: caller::token(request).map(str::to_owned), message: None }
}

fn read_message(request: Request) -> Result<Message, Problem> {
    let mut fields = Fields::read(request)?;
    let message = fields.text("message", Message::new);
    fields.finish(message)
}
