//! The way of one message: it is let in, goes to a provider, and the stores are told how it ended.

use octo_admission_backend::{
    AdmissionBackend, AdmissionRequest, AdmissionResponse, Asked, Completion, Holds, InTime, Local, Once,
    PaidAllowance, Refusal, Remote, ReplayPolicy, WaitingClient,
};
use octo_core::{Problem, StoreError, UnixMillis, new_id, ports::NoKeyValue};
use octo_gateway::{
    Config, Message,
    admission::{Admitted, RouteOutcome},
    free_tier::Decision,
    routing::{Dispatch, Gateway, Permission, Routed, Unprocessed},
    stats::MessageOutcome,
};
use octo_http::{
    App, Response,
    app::RedisServers,
    caller::{self, AskAuth},
    idempotency::StoredAnswer,
};
use serde_json::json;

use crate::metered::Metered;

/// A message as it was posted, on whichever route.
pub(crate) struct Posted {
    pub(crate) token: Option<String>,
    pub(crate) wait_until: Option<UnixMillis>,
    /// Free messages its sender has in a day.
    pub(crate) daily: Option<i64>,
    pub(crate) message: Result<(Message, Option<Once>), Problem>,
}

/// The stores, asked right here if they are on this machine, or if a question to one that does not answer can be given up.
pub(crate) fn backend<'a>(
    app: &'a App,
    config: &'a Config,
) -> Result<Box<dyn AdmissionBackend + 'a>, Problem> {
    let App { http, clock, .. } = app;
    let timeout = config.tier.store_timeout;
    Ok(match (&config.tier.redis, app.redis) {
        (Some(_), Some(RedisServers { can_give_up: true, .. })) => {
            Box::new(InTime { backend: here(app, config)?, clock, timeout })
        }
        (Some(_), _) => Box::new(Remote { http, clock, timeout }),
        (None, _) => Box::new(here(app, config)?),
    })
}

/// The stores as this component asks them itself.
fn here<'a>(app: &'a App, config: &'a Config) -> Result<impl AdmissionBackend + 'a, Problem> {
    let App { store, http, clock, entropy, .. } = app;
    let redis = match (&config.tier.redis, app.redis) {
        (Some(address), Some(servers)) => Some((servers.connect)(address.login(&app.settings)?)),
        _ => None,
    };
    let (config, client) = (&config.tier, WaitingClient::NONE);
    Ok(Local { config, store, redis, http, clock, entropy, client })
}

/// Lets the message in, sends it its way, and answers. A sender who is not known learns nothing about
/// the message.
pub(crate) async fn dispatch(
    app: &App,
    config: &Config,
    posted: Posted,
    respond: impl FnOnce(&str, Routed, bool) -> Result<Response, Problem>,
) -> Result<Response, Refusal> {
    let backend = backend(app, config)?;
    let id = new_id(&app.clock, &app.entropy);
    let Posted { token, wait_until, daily, message } = posted;
    let paid_daily = (config.paid_daily_per_user > 0).then_some(config.paid_daily_per_user);
    let asked = message.as_ref().ok().map(|(_, once)| Asked {
        id: id.clone(),
        wait_until,
        needs_paid_key: config.paid.needs_made_key(),
        daily,
        paid_daily,
        counted: true,
        once: once.clone(),
    });
    let application = AdmissionRequest { token, message: asked };
    let asked_at = app.clock.now();
    let (entry, counter_silent) = match backend.admit(&application).await {
        Ok(entry) => (entry, None),
        Err(Refusal::Away(error)) => (without_stores(app, &application, error).await?, None),
        Err(Refusal::Silent(error)) => {
            (without_counter(app, &backend, application, error).await?, Some(asked_at))
        }
        Err(refusal) => return Err(refusal),
    };
    let (message, _) = message?;
    let AdmissionResponse { caller, asked_at, admitted, paid: pass, mut held } = entry;
    let admitted = admitted.ok_or_else(Problem::internal)?;
    let free_again_at = closed_until(&admitted);
    let (free, paid, http, clock) = (&config.free, &config.paid, &app.http, &app.clock);
    let metered = Metered::new(&backend, &caller.claims.sub, paid_daily, pass, held.paid.take());
    let gateway = Gateway { free, paid, admission: &metered, http, clock };
    let paid_access = caller.claims.paid_access;
    let dispatch = Dispatch { id: &id, message: &message, paid_access, asked_at, wait_until };
    let mut routed = gateway.route(&dispatch, admitted).await;

    held.paid = metered.into_allowance();
    let mut ending = RouteOutcome { counter_silent, ..std::mem::take(&mut routed.ending) };
    if let (Some(PaidAllowance::UsedUp { refills_at }), Err(_)) = (&held.paid, &routed.result) {
        let refills_at = *refills_at;
        let again_at = free_again_at.unwrap_or(refills_at).min(refills_at);
        routed.result = Err(Unprocessed::PaidAllowanceUsed { refills_at, again_at });
        // The paid provider was not asked.
        if let (Some(tally), false) = (&mut ending.tally, routed.sent)
            && let MessageOutcome::Failed(reason) = tally.fate
        {
            tally.fate = MessageOutcome::Refused(reason);
        }
    }
    let paid_for = routed.paid_for();
    let may_be_processed = routed.may_be_processed;
    let kept = may_be_processed && held.claim.is_some();
    let response = respond(&id, routed, kept)?;
    let repeats = match (may_be_processed, StoredAnswer::of(&response)) {
        (false, _) => ReplayPolicy::Anew,
        (true, Some(answer)) => ReplayPolicy::Answered(answer),
        (true, None) => ReplayPolicy::Unknown,
    };
    let completion = Completion { ending, held, paid_for, repeats, tidy: false };
    if completion.held.claim.is_some() {
        // Before the answer, so that a client that repeats the request gets the same response.
        close(Ok(backend), completion).await;
        later(app, config, Completion { tidy: true, ..Completion::default() });
    } else {
        later(app, config, completion);
    }
    Ok(response)
}

/// Who is told how a message ended once the client has its response. Then nobody is held up by a store that does not answer,
/// and the router asks it itself: that saves an instance of `admission`.
fn at_leisure<'a>(
    app: &'a App,
    config: &'a Config,
    ending: &RouteOutcome,
) -> Result<Box<dyn AdmissionBackend + 'a>, Problem> {
    match app.redis {
        Some(_) if ending.counter_silent.is_none() => Ok(Box::new(here(app, config)?)),
        _ => backend(app, config),
    }
}

/// Tells the stores how it ended.
async fn close(stores: Result<Box<dyn AdmissionBackend + '_>, Problem>, completion: Completion) {
    let told = match stores {
        Ok(stores) => stores.close(completion).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    if let Err(problem) = told {
        println!("{}", json!({ "component": "router", "store_error": problem.cause }));
    }
}

/// What the other stores say of a message while the counter gives no answer: who sends it, by their token and by
/// what was granted or ended since; and whether it was sent before.
async fn without_counter(
    app: &App,
    backend: &impl AdmissionBackend,
    mut application: AdmissionRequest,
    error: StoreError,
) -> Result<AdmissionResponse, Refusal> {
    if let Some(asked) = &mut application.message {
        asked.counted = false;
    }
    match backend.admit_patiently(&application).await {
        Err(Refusal::Away(_) | Refusal::Silent(_)) => Ok(without_stores(app, &application, error).await?),
        answered => answered,
    }
}

/// What can be said of a message while no store answers. Its sender's token alone counts: what was granted since
/// it was made is not known. One that must not be carried out twice is not carried out then.
async fn without_stores(
    app: &App,
    application: &AdmissionRequest,
    error: StoreError,
) -> Result<AdmissionResponse, Problem> {
    let token = application.token.as_deref();
    let caller = caller::authenticate(token, &NoKeyValue, &AskAuth(&app.http), &app.clock).await?;
    if application.message.as_ref().is_some_and(|asked| asked.once.is_some()) {
        return Err(error.into());
    }
    let asked_at = app.clock.now();
    Ok(AdmissionResponse { caller, asked_at, admitted: Some(Err(error)), paid: None, held: Holds::default() })
}

/// Tells the stores what is left to tell once the client has its response. Should that be cut off, a slot is held for
/// longer than it must be.
fn later(app: &App, config: &Config, completion: Completion) {
    let (own, config) = (app.clone(), config.clone());
    app.after.run(async move { close(at_leisure(&own, &config, &completion.ending), completion).await });
}

/// When the free provider is open again, or its sender has free messages again, if that is what stands in the way.
fn closed_until(admitted: &Result<Admitted, StoreError>) -> Option<UnixMillis> {
    match admitted.as_ref().ok()?.permission {
        Permission::Tier(Decision::Deny(closed)) => Some(closed.reopens_at),
        Permission::AllowanceUsed(refills_at) => Some(refills_at),
        Permission::Tier(Decision::Allow(_) | Decision::Queue(_)) => None,
    }
}
