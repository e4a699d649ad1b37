//! The answers, from the stores.

use std::{ops::RangeInclusive, time::Duration};

use octo_allowance::{self as allowance, Allowance, Taken};
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Redis, StoreError};
use octo_edge::{
    Caller, ServiceKey,
    caller::{self, AskAuth},
    idempotency::{Begun, Claim, KeyValueIdempotency, Scope},
};
use octo_gateway::{
    TierConfig,
    admission::{Admission, Admitted, Ending, PaidCall, PaidPass},
    breaker::{Gate, Pass, Permit},
    figures::{Fate, Figures, Tally},
    free_tier::{
        AnyFreeTier, AnySlot, Ask, Closed, FreeTier, KeyValueFreeTier, Outcome, RedisFreeTier, Status,
        Verdict,
    },
    routing::{Permission, Reason},
};

use crate::desk::{Application, Asked, Closing, Desk, Entry, Held, Once, Refusal, Repeats};

/// How long the paid provider is left alone when it refuses a call without saying for how long.
const PAID_PAUSE: Duration = Duration::from_secs(1);

/// A Redis server that gave no answer in time is left alone for as long as a window lasts, within these
/// bounds. What was asked of it may hang until it wakes: Spin ends no request by itself, and each holds an
/// instance.
const HANG_PAUSE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10);

/// [`Desk`] over stores that are asked right here.
#[derive(Debug)]
pub struct Local<'a, K, R, H, C, E> {
    /// What the free provider allows, and where that is counted.
    pub config: &'a TierConfig,
    /// The store shared by all instances.
    pub store: &'a K,
    /// The Redis server of `config`, if it names one.
    pub redis: Option<R>,
    /// The way to `auth`, for its keys.
    pub http: &'a H,
    /// This instance's clock.
    pub clock: &'a C,
    /// Makes the key of our own paid provider.
    pub entropy: &'a E,
}

impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Local<'_, K, R, H, C, E> {
    fn tier(&self) -> AnyFreeTier<'_, K, R> {
        let TierConfig { limits, model, .. } = *self.config;
        match &self.redis {
            Some(redis) => AnyFreeTier::Redis(RedisFreeTier::new(redis, model, limits)),
            None => AnyFreeTier::KeyValue(KeyValueFreeTier::new(self.store, limits)),
        }
    }

    fn paid_gate(&self) -> Gate<'_, K> {
        Gate::new(self.store, "paid", self.config.paid_timeout)
    }

    async fn paid_ended(&self, call: &PaidCall) -> Result<(), StoreError> {
        let (gate, now) = (self.paid_gate(), self.clock.now());
        match call.outcome {
            Outcome::Answered => gate.answered(&call.pass).await,
            Outcome::NotSent | Outcome::Unused | Outcome::Unknown => gate.failed(&call.pass, now).await,
            Outcome::Rejected => gate.rejected(&call.pass).await,
            Outcome::Refused { retry_after } => gate.refused(now + retry_after.unwrap_or(PAID_PAUSE)).await,
            Outcome::Overloaded { wait } => gate.refused(now + wait).await,
        }
    }

    /// The gate before the Redis server. While it is closed nobody asks there, and one message finds out
    /// whether the server answers again.
    fn counter_gate(&self) -> Gate<'_, K> {
        Gate::new(self.store, "counter", self.hang_pause())
    }

    fn hang_pause(&self) -> Duration {
        self.config.limits.window.clamp(*HANG_PAUSE.start(), *HANG_PAUSE.end())
    }

    /// Asks the counter, unless it hangs.
    async fn reserve(&self, ask: &Ask) -> Result<Verdict<AnySlot>, StoreError> {
        if self.redis.is_none() {
            return self.tier().reserve(ask, self.clock.now()).await;
        }
        let gate = self.counter_gate();
        let permit = match gate.read().await {
            Ok(state) => gate.permit(&state, self.clock.now()).await,
            Err(error) => Err(error),
        };
        // The key-value store may be away while Redis is there.
        match permit.unwrap_or(Permit::Go(Pass::default())) {
            Permit::Closed { .. } => Err(StoreError("the counter gave no answer and is left alone".into())),
            Permit::Go(pass) => {
                let verdict = self.tier().reserve(ask, self.clock.now()).await;
                // It answered, if only with an error. That this cannot be noted costs the next a pause.
                let _ = gate.answered(&pass).await;
                verdict
            }
        }
    }

    /// The right to carry the message out, unless somebody has it or had it.
    async fn claim(&self, once: &Once, caller: &Caller) -> Result<Claim, Refusal> {
        let scope = Scope { caller: &caller.claims.sub, route: "POST /messages" };
        let fingerprint = once.fingerprint.clone();
        let claims = KeyValueIdempotency::new(self.store);
        let begun = claims.begin(&once.key, scope, fingerprint, self.clock.now()).await;
        match begun.map_err(Problem::from)? {
            Begun::First(claim) => Ok(claim),
            Begun::Replay(answer) => Err(Refusal::Answer(Box::new(answer.into_response()))),
            Begun::Refused(refusal) => Err(Problem::from(refusal).into()),
        }
    }

    /// Counts what became of a message.
    async fn count(&self, tally: Tally) -> Result<(), StoreError> {
        match unavailable(&tally) {
            // The counter cannot be told.
            Some(key) if self.redis.is_some() => self.store.increment(key, 1).await.map(|_| ()),
            _ => self.tier().record(tally, self.clock.now()).await,
        }
    }

    /// Whether the message may go free, by what its sender has left of the day and by the counter of all; and
    /// what of the former it holds.
    async fn let_in(&self, asked: &Asked, caller: &Caller) -> Result<(Admitted, Option<Taken>), StoreError> {
        let (permission, taken) = match asked.daily {
            None => (Permission::Tier(self.ask(asked).await?), None),
            Some(per_day) => {
                let allowance = Allowance { store: self.store, per_day };
                match allowance.take(&caller.claims.sub, self.clock.now()).await? {
                    allowance::Verdict::UsedUp { refills_at } => {
                        (Permission::AllowanceUsed(refills_at), None)
                    }
                    allowance::Verdict::Taken(taken) => match self.ask(asked).await {
                        Ok(verdict @ (Verdict::Go(_) | Verdict::Wait(_))) => {
                            (Permission::Tier(verdict), Some(taken))
                        }
                        denied => {
                            // At once: the sender's next message may have it.
                            allowance.give_back(taken).await?;
                            (Permission::Tier(denied?), None)
                        }
                    },
                }
            }
        };
        let may_go = matches!(permission, Permission::Tier(Verdict::Go(_) | Verdict::Wait(_)));
        let paid = if caller.claims.paid_access && !may_go {
            Some(self.paid_pass(asked.needs_paid_key).await)
        } else {
            None
        };
        Ok((Admitted { permission, paid }, taken))
    }

    async fn ask(&self, asked: &Asked) -> Result<Verdict<AnySlot>, StoreError> {
        let ask = Ask { id: asked.id.clone(), first: true, wait_until: asked.wait_until };
        self.reserve(&ask).await
    }
}

/// Where messages are counted that went without the counter: paid for, refused, failed.
const UNCOUNTED: [&str; 3] =
    ["gateway/uncounted/paid", "gateway/uncounted/refused", "gateway/uncounted/failed"];

fn unavailable(tally: &Tally) -> Option<&'static str> {
    let [paid, refused, failed] = UNCOUNTED;
    match tally.fate {
        Fate::Paid(Reason::CounterUnavailable) => Some(paid),
        Fate::Refused(Reason::CounterUnavailable) => Some(refused),
        Fate::Failed(Reason::CounterUnavailable) => Some(failed),
        _ => None,
    }
}

impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Desk for Local<'_, K, R, H, C, E> {
    async fn admit(&self, application: &Application) -> Result<Entry, Refusal> {
        let token = application.token.as_deref();
        let caller = caller::authenticate(token, self.store, &AskAuth(self.http), self.clock).await?;
        let Some(asked) = &application.message else {
            return Ok(Entry { caller, admitted: None, held: Held::default() });
        };
        let claim = match &asked.once {
            Some(once) => Some(self.claim(once, &caller).await?),
            None => None,
        };
        let (admitted, allowance) = match self.let_in(asked, &caller).await {
            Ok((admitted, allowance)) => (Ok(admitted), allowance),
            Err(error) => (Err(error), None),
        };
        Ok(Entry { caller, admitted: Some(admitted), held: Held { claim, allowance } })
    }

    async fn close(&self, closing: Closing) -> Result<(), StoreError> {
        let told = self.finish(&closing.ending).await;
        let went_free = closing.ending.tally.is_some_and(|tally| tally.fate == Fate::Free);
        if let Some(taken) = closing.held.allowance
            && !went_free
        {
            // Only what is given back counts here, not how many there are.
            Allowance { store: self.store, per_day: 0 }.give_back(taken).await?;
        }
        let once = KeyValueIdempotency::new(self.store);
        match (closing.held.claim, closing.repeats) {
            (Some(claim), Repeats::Anew) => once.release(claim).await?,
            (Some(claim), Repeats::Answered(answer)) => once.finish(claim, answer).await?,
            (_, Repeats::Unknown) | (None, _) => {}
        }
        if closing.tidy {
            once.forget_old(self.clock.now()).await?;
        }
        told.map(drop)
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.tier().status(self.clock.now()).await
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        let mut figures = self.tier().figures(self.clock.now()).await?;
        if self.redis.is_some() {
            let total = &mut figures.total;
            for (key, by_reason) in
                UNCOUNTED.into_iter().zip([&mut total.paid, &mut total.refused, &mut total.failed])
            {
                // Looked for first, for reading a counter makes it.
                if self.store.get(key).await?.is_some() {
                    let messages = self.store.increment(key, 0).await?;
                    *by_reason.entry(Reason::CounterUnavailable).or_default() += messages;
                }
            }
        }
        Ok(figures)
    }
}

impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Admission for Local<'_, K, R, H, C, E> {
    async fn again(&self, ask: &Ask) -> Result<Verdict<AnySlot>, StoreError> {
        self.reserve(ask).await
    }

    async fn paid_pass(&self, with_key: bool) -> PaidPass {
        let key = ServiceKey::new(self.store, "paid-provider");
        let key = if with_key { Some(key.obtain(self.entropy).await) } else { None };
        let gate = self.paid_gate();
        let permit = match gate.read().await {
            Ok(state) => gate.permit(&state, self.clock.now()).await,
            Err(error) => Err(error),
        };
        PaidPass { key, permit: permit.unwrap_or(Permit::Go(Pass::default())) }
    }

    async fn finish(&self, ending: &Ending) -> Result<Option<Closed>, StoreError> {
        let now = self.clock.now();
        let counted = match (&ending.settle, ending.tally) {
            (Some((slot, end)), tally) => self.tier().settle(slot, end, tally, now).await,
            (None, Some(tally)) => self.count(tally).await.map(|()| None),
            (None, None) => Ok(None),
        };
        if ending.counter_hung && self.redis.is_some() {
            self.counter_gate().refused(now + self.hang_pause()).await?;
        }
        match &ending.paid {
            Some(call) => self.paid_ended(call).await.and(counted),
            None => counted,
        }
    }
}
