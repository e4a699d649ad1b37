//! The routes, each readable in one breath: who, what, do, answer.

use std::cell::RefCell;

use http::{Method, StatusCode};
use octo_admission_backend::{
    Application, Asked, Audience, Closing, Desk, Either, Entry, Held, Local, Once, PaidAllowance, Refusal,
    Remote, Repeats,
};
use octo_core::{
    Clock, Entropy, HttpOut, KeyValue, Problem, Settings, StoreError, UnixMillis, new_id,
    ports::{NoKeyValue, NoRedis},
};
use octo_gateway::{
    Config, Message,
    admission::{Admitted, Ending},
    figures::Fate,
    free_tier::Verdict,
    routing::{Dispatch, Gateway, Permission, Routed, Unprocessed},
};
use octo_http::{
    Request, Response,
    body::Fields,
    caller::{self, AskAuth},
    idempotency::{Fingerprint, IdempotencyKey, StoredAnswer},
    prefer, respond,
};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::{
    answers,
    contract_000::{self, Call},
    figures,
    metered::Metered,
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
    pub(crate) unfinished: RefCell<Option<Closing>>,
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
        let Some(closing) = self.unfinished.take() else { return };
        let Ok(config) = Config::read(&self.settings) else { return };
        self.close(&config, closing).await;
    }

    /// `POST /messages`
    async fn send(&self, request: Request) -> Result<Response, Problem> {
        let config = Config::read(&self.settings)?;
        let wait = prefer::wait(request.headers());
        let posted = Posted {
            token: caller::token(&request).map(str::to_owned),
            wait_until: wait.map(|wait| self.clock.now() + wait),
            daily: (config.daily_per_user > 0).then_some(config.daily_per_user),
            message: read_message(request),
        };
        let respond = |id: &str, routed, kept| {
            let mut response = answers::routed(id, routed, kept, &config, self.clock.now())?;
            if let Some(applied) = wait.and_then(prefer::applied) {
                response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
            }
            Ok(response)
        };
        self.dispatch(&config, posted, respond).await.or_else(answers::refused)
    }

    /// `POST /free_provider` and `POST /paid_provider`
    async fn send_as_contract_000(&self, request: Request) -> Result<Response, Problem> {
        let (token, message) = match contract_000::read(&request) {
            Call::Send { token, message } => (token, Message::maybe_empty(message)),
            Call::Answered(response) => return Ok(response),
        };
        let config = Config::read(&self.settings)?;
        let message = message.map_err(|error| Problem::invalid("message", error.to_string()));
        let posted = Posted {
            token: Some(token),
            wait_until: None,
            daily: Some(octo_daily_quota::of_the_original(config.daily_per_user)),
            message: message.map(|message| (message, None)),
        };
        let respond =
            |id: &str, routed: Routed, kept| match contract_000::routed(id, &routed, self.clock.now()) {
                Some(response) => Ok(response),
                None => answers::routed(id, routed, kept, &config, self.clock.now()),
            };
        self.dispatch(&config, posted, respond).await.or_else(|refusal| match refusal.status() {
            Some(StatusCode::UNAUTHORIZED) => Ok(contract_000::bad_token()),
            _ => answers::refused(refusal),
        })
    }

    /// Lets the message in, sends it its way, and answers. A sender who is not known learns nothing about
    /// the message.
    async fn dispatch(
        &self,
        config: &Config,
        posted: Posted,
        respond: impl FnOnce(&str, Routed, bool) -> Result<Response, Problem>,
    ) -> Result<Response, Refusal> {
        let desk = self.desk(config);
        let id = new_id(&self.clock, &self.entropy);
        let Posted { token, wait_until, daily, message } = posted;
        let paid_daily = (config.paid_daily_per_user > 0).then_some(config.paid_daily_per_user);
        let asked = message.as_ref().ok().map(|(_, once)| Asked {
            id: id.clone(),
            wait_until,
            needs_paid_key: config.paid.key.is_none(),
            daily,
            paid_daily,
            counted: true,
            once: once.clone(),
        });
        let application = Application { token, message: asked };
        let asked_at = self.clock.now();
        let (entry, counter_silent) = match desk.admit(&application).await {
            Ok(entry) => (entry, None),
            Err(Refusal::Away(error)) => (self.without_stores(&application, error).await?, None),
            Err(Refusal::Silent(error)) => {
                (self.without_counter(&desk, application, error).await?, Some(asked_at))
            }
            Err(refusal) => return Err(refusal),
        };
        let (message, _) = message?;
        let Entry { caller, asked_at, admitted, paid: pass, mut held } = entry;
        let admitted = admitted.ok_or_else(Problem::internal)?;
        let free_again_at = closed_until(&admitted);
        let (free, paid, http, clock) = (&config.free, &config.paid, &self.http, &self.clock);
        let metered = Metered::new(&desk, &caller.claims.sub, paid_daily, pass, held.paid.take());
        let gateway = Gateway { free, paid, admission: &metered, http, clock };
        let paid_access = caller.claims.paid_access;
        let dispatch = Dispatch { id: &id, message: &message, paid_access, asked_at, wait_until };
        let mut routed = gateway.route(&dispatch, admitted).await;

        held.paid = metered.into_allowance();
        let mut ending = Ending { counter_silent, ..std::mem::take(&mut routed.ending) };
        if let (Some(PaidAllowance::UsedUp { refills_at }), Err(_)) = (&held.paid, &routed.result) {
            let refills_at = *refills_at;
            let again_at = free_again_at.unwrap_or(refills_at).min(refills_at);
            routed.result = Err(Unprocessed::PaidAllowanceUsed { refills_at, again_at });
            // The paid provider was not asked.
            if let (Some(tally), false) = (&mut ending.tally, routed.sent)
                && let Fate::Failed(reason) = tally.fate
            {
                tally.fate = Fate::Refused(reason);
            }
        }
        let paid_for = routed.paid_for();
        let may_be_processed = routed.may_be_processed;
        let kept = may_be_processed && held.claim.is_some();
        let response = respond(&id, routed, kept)?;
        let repeats = match (may_be_processed, StoredAnswer::of(&response)) {
            (false, _) => Repeats::Anew,
            (true, Some(answer)) => Repeats::Answered(answer),
            (true, None) => Repeats::Unknown,
        };
        let closing = Closing { ending, held, paid_for, repeats, tidy: false };
        if closing.held.claim.is_some() {
            // Before the answer, so that whoever has it and asks again gets it again.
            self.close(config, closing).await;
            self.unfinished.replace(Some(Closing { tidy: true, ..Closing::default() }));
        } else {
            self.unfinished.replace(Some(closing));
        }
        Ok(response)
    }

    async fn close(&self, config: &Config, closing: Closing) {
        if let Err(error) = self.desk(config).close(closing).await {
            println!("{}", json!({ "component": "router", "store_error": error.to_string() }));
        }
    }

    /// What the other stores say of a message while the counter gives no answer: who sends it, by their token and by
    /// what was granted or ended since; and whether it was sent before.
    async fn without_counter(
        &self,
        desk: &impl Desk,
        mut application: Application,
        error: StoreError,
    ) -> Result<Entry, Refusal> {
        if let Some(asked) = &mut application.message {
            asked.counted = false;
        }
        match desk.admit_patiently(&application).await {
            Err(Refusal::Away(_) | Refusal::Silent(_)) => {
                Ok(self.without_stores(&application, error).await?)
            }
            answered => answered,
        }
    }

    /// What can be said of a message while no store answers. Its sender's token alone counts: what was granted since
    /// it was made is not known. One that must not be carried out twice is not carried out then.
    async fn without_stores(&self, application: &Application, error: StoreError) -> Result<Entry, Problem> {
        let token = application.token.as_deref();
        let caller = caller::authenticate(token, &NoKeyValue, &AskAuth(&self.http), &self.clock).await?;
        if application.message.as_ref().is_some_and(|asked| asked.once.is_some()) {
            return Err(error.into());
        }
        let asked_at = self.clock.now();
        Ok(Entry { caller, asked_at, admitted: Some(Err(error)), paid: None, held: Held::default() })
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
            Some(_) => Either::Remote(Remote { http, clock, timeout: config.tier.store_timeout }),
            None => {
                let config = &config.tier;
                let audience = Audience::HERE;
                Either::Local(Local { config, store, redis: None, http, clock, entropy, audience })
            }
        }
    }
}

/// When the free provider is open again, or its sender has free messages again, if that is what stands in the way.
fn closed_until(admitted: &Result<Admitted, StoreError>) -> Option<UnixMillis> {
    match admitted.as_ref().ok()?.permission {
        Permission::Tier(Verdict::Closed(closed)) => Some(closed.reopens_at),
        Permission::AllowanceUsed(refills_at) => Some(refills_at),
        Permission::Tier(Verdict::Go(_) | Verdict::Wait(_)) => None,
    }
}

/// A message as it was posted, on whichever route.
struct Posted {
    token: Option<String>,
    wait_until: Option<UnixMillis>,
    /// Free messages its sender has in a day.
    daily: Option<i64>,
    message: Result<(Message, Option<Once>), Problem>,
}

/// The application of somebody who only wants to look.
fn known(request: &Request) -> Application {
    Application { token: caller::token(request).map(str::to_owned), message: None }
}

fn read_message(request: Request) -> Result<(Message, Option<Once>), Problem> {
    let key = IdempotencyKey::read(request.headers());
    let mut fields = Fields::read(request)?;
    let message = fields.text("message", Message::new);
    let message = fields.finish(message)?;
    let once = key?.map(|key| Once { key, fingerprint: Fingerprint::of(&[message.as_str().as_bytes()]) });
    Ok((message, once))
}
