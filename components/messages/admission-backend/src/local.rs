//! The answers, from the stores.

use octo_core::async_trait;
use std::time::Duration;

use http::StatusCode;
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Redis, StoreError, UnixMillis};
use octo_daily_quota::{self as allowance, Allowance, Taken, kept_for, paid_by};
use octo_gateway::{
    TierConfig,
    admission::{Admission, Admitted, PaidCall, PaidPass, RouteOutcome},
    breaker::{Cause, Pass, Permit, SharedBreaker},
    free_tier::{
        AnyFreeTier, AnySlot, Ask, Closed, Decision, End, FreeTier, KeyValueFreeTier, Outcome,
        RateLimitHints, RedisFreeTier, Status,
    },
    routing::{Permission, Reason},
    stats::{MessageOutcome, Stats, StatsEvent},
};
use octo_http::{
    Caller, ServiceKey,
    caller::{self, AskAuth},
    idempotency::{Begun, Claim, KeyValueIdempotency, Scope, StoredAnswer, key_value::AFTER_A_FIRST},
};

use crate::{
    WaitingClient,
    backend::{
        AdmissionBackend, AdmissionRequest, AdmissionResponse, Asked, Completion, Holds, Once, PaidAllowance,
        PaidAsk, PaidEntry, Refusal, ReplayPolicy,
    },
    counter_gate::{CounterGate, Leave},
    waiting,
};

/// How long the paid provider is left alone when it refuses a call without saying for how long.
const PAID_PAUSE: Duration = Duration::from_secs(1);

/// Room for the answers that are kept for one sender's repeats in a day, in KiB: each takes one at least. They are kept for
/// three to four days.
pub const KEPT_KIB: i64 = 16 * 1024;

/// [`AdmissionBackend`] over stores that are asked right here.
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
    /// The client that waits for the response.
    pub client: WaitingClient<'a>,
}

impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Local<'_, K, R, H, C, E> {
    fn tier(&self) -> AnyFreeTier<'_, K, R> {
        let TierConfig { limits, model, .. } = *self.config;
        match &self.redis {
            Some(redis) => AnyFreeTier::Redis(RedisFreeTier::new(redis, model, limits)),
            None => AnyFreeTier::KeyValue(KeyValueFreeTier::new(self.store, limits)),
        }
    }

    fn paid_gate(&self) -> SharedBreaker<'_, K> {
        SharedBreaker::new(self.store, "paid", self.config.paid_timeout)
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

    fn counter_gate(&self) -> CounterGate<'_, K> {
        CounterGate::new(self.store)
    }

    /// Asks the counter, unless it is left alone.
    async fn reserve(&self, ask: &Ask) -> Result<Decision<AnySlot>, StoreError> {
        if self.redis.is_none() {
            return self.tier().reserve(ask, self.clock.now()).await;
        }
        match self.counter_gate().ask(self.clock.now()).await {
            Leave::Alone => Err(StoreError("the counter gave no answer and is left alone".into())),
            Leave::Ask(question) => {
                self.client.is_there();
                let verdict = self.tier().reserve(ask, self.clock.now()).await;
                // An error that came late is no answer: so ends a question to a server that is not there.
                let now = self.clock.now();
                if verdict.is_ok() || now.since(question.put_at) < self.config.store_timeout {
                    self.counter_gate().answered(question, now).await;
                }
                verdict
            }
        }
    }

    fn scope<'c>(caller: &'c Caller) -> Scope<'c> {
        Scope { caller: &caller.claims.sub, route: "POST /messages" }
    }

    /// Whether the key is free. Before the counter is asked, so that a repeat takes no slot.
    async fn look(&self, once: &Once, caller: &Caller) -> Result<(), Refusal> {
        let claims = KeyValueIdempotency::new(self.store);
        let (scope, now) = (Self::scope(caller), self.clock.now());
        match claims.look(&once.key, scope, &once.fingerprint, now).await.map_err(Problem::from)? {
            Some(begun) => unclaimed(begun),
            None => Ok(()),
        }
    }

    /// The right to carry the message out, unless somebody has it or had it, and room for its answer.
    ///
    /// Where the counter is in the same store, before it is asked: of many copies of a message all but one take no slot
    /// from others. Where it is in Redis, after it was asked: a counter that hangs must leave the key free.
    async fn claim(&self, once: &Once, caller: &Caller) -> Result<(Claim, Taken), Refusal> {
        let now = self.clock.now();
        let kept = match self.room().take(&kept_for(&caller.claims.sub), now).await.map_err(Problem::from)? {
            allowance::Verdict::Taken(taken) => taken,
            allowance::Verdict::UsedUp { refills_at } => return Err(no_room(refills_at, now).into()),
        };
        let claims = KeyValueIdempotency::new(self.store);
        let begun = claims.claim(&once.key, Self::scope(caller), once.fingerprint.clone(), now).await;
        match begun.map_err(Problem::from)? {
            Begun::First(claim) => Ok((claim, kept)),
            other => {
                self.room().give_back(kept).await.map_err(Problem::from)?;
                Err(unclaimed(other).err().unwrap_or_else(|| Problem::internal().into()))
            }
        }
    }

    fn room(&self) -> Allowance<'_, K> {
        Allowance { store: self.store, per_day: KEPT_KIB }
    }

    /// Keeps the answer for repeats, if there is room for it: without it they find the outcome unknown.
    async fn keep(&self, claim: Claim, kept: Option<Taken>, answer: StoredAnswer) -> Result<(), StoreError> {
        let more = i64::try_from(answer.size() / 1024).unwrap_or(i64::MAX);
        let fits = match kept {
            Some(kept) if more > 0 => self.room().take_more(&kept, more).await?,
            _ => true,
        };
        if fits { KeyValueIdempotency::new(self.store).finish(claim, answer).await } else { Ok(()) }
    }

    /// Takes back what was given to a message that is not carried out.
    async fn undo(&self, admitted: Result<Admitted, StoreError>, held: Holds) -> Result<(), StoreError> {
        if let Ok(Admitted { permission: Permission::Tier(Decision::Allow(slot)), .. }) = admitted {
            let unused = End { outcome: Outcome::Unused, told: RateLimitHints::default() };
            self.tier().settle(&slot, &unused, None, self.clock.now()).await?;
        }
        self.close(Completion { held, repeats: ReplayPolicy::Anew, ..Completion::default() }).await
    }

    /// Counts what became of a message.
    async fn count(&self, tally: StatsEvent) -> Result<(), StoreError> {
        match unavailable(&tally) {
            // The counter cannot be told.
            Some(key) if self.redis.is_some() => self.store.increment(key, 1).await.map(|_| ()),
            _ => self.tier().record(tally, self.clock.now()).await,
        }
    }

    /// Whether the message may go free, by what its sender has left of the day and by the counter of all; and
    /// what of the former it holds.
    async fn let_in(&self, asked: &Asked, caller: &Caller) -> Result<(Admitted, Holds), StoreError> {
        if !asked.counted {
            return Err(StoreError("the counter gave no answer".into()));
        }
        let mut held = Holds::default();
        let permission = match asked.daily {
            None => Permission::Tier(self.ask(asked, caller).await?),
            Some(per_day) => {
                let allowance = Allowance { store: self.store, per_day };
                match allowance.take(&caller.claims.sub, self.clock.now()).await? {
                    allowance::Verdict::UsedUp { refills_at } => Permission::AllowanceUsed(refills_at),
                    allowance::Verdict::Taken(taken) => match self.ask(asked, caller).await {
                        Ok(verdict @ (Decision::Allow(_) | Decision::Queue(_))) => {
                            held.allowance = Some(taken);
                            Permission::Tier(verdict)
                        }
                        denied => {
                            // At once: the sender's next message may have it.
                            allowance.give_back(taken).await?;
                            Permission::Tier(denied?)
                        }
                    },
                }
            }
        };
        let may_go = matches!(permission, Permission::Tier(Decision::Allow(_) | Decision::Queue(_)));
        let mut paid = None;
        if caller.claims.paid_access && !may_go {
            let entry = self.paid_entry(&self.paid_ask(asked, caller)).await;
            (paid, held.paid) = (Some(entry.pass), entry.allowance);
        }
        Ok((Admitted { permission, paid }, held))
    }

    fn paid_ask(&self, asked: &Asked, caller: &Caller) -> PaidAsk {
        let (account, daily) = (caller.claims.sub.clone(), asked.paid_daily);
        PaidAsk { with_key: asked.needs_paid_key, account, daily }
    }

    async fn ask(&self, asked: &Asked, caller: &Caller) -> Result<Decision<AnySlot>, StoreError> {
        let ask = Ask { id: asked.id.clone(), first: true, wait_until: asked.wait_until };
        if self.redis.is_some() || asked.wait_until.is_none() {
            return self.reserve(&ask).await;
        }
        // In this form a message that waits takes a slot at once, of a window to come.
        match self.reserve(&Ask { wait_until: None, ..ask.clone() }).await? {
            Decision::Deny(closed) if asked.wait_until.is_some_and(|until| closed.reopens_at <= until) => {
                let (sub, calls) = (&caller.claims.sub, self.config.limits.calls);
                let has_a_place = waiting::take_place(self.store, sub, closed.reopens_at, calls).await?;
                if has_a_place { self.reserve(&ask).await } else { Ok(Decision::Deny(closed)) }
            }
            verdict => Ok(verdict),
        }
    }
}

/// What a request is answered whose key is in use.
fn unclaimed(begun: Begun) -> Result<(), Refusal> {
    match begun {
        Begun::First(_) => Ok(()),
        Begun::Replay(answer) => Err(Refusal::Answer(Box::new(answer.into_response()))),
        Begun::Refused(refusal) => Err(Problem::from(refusal).into()),
    }
}

fn no_room(refills_at: UnixMillis, now: UnixMillis) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "idempotency-keys-used-up",
        "There is no room for more of your keys today",
        "The responses kept under your Idempotency-Keys take all the room that an account has in a day. Without a key \
         the message is processed.",
    )
    .with("refills_at", refills_at.to_string())
    .retry_after(refills_at.seconds_from(now).max(1))
}

/// Where messages are counted that went without the counter: paid for, refused, failed.
const UNCOUNTED: [&str; 3] =
    ["gateway/uncounted/paid", "gateway/uncounted/refused", "gateway/uncounted/failed"];

fn unavailable(tally: &StatsEvent) -> Option<&'static str> {
    let [paid, refused, failed] = UNCOUNTED;
    match tally.fate {
        MessageOutcome::Paid(Reason::CounterUnavailable) => Some(paid),
        MessageOutcome::Refused(Reason::CounterUnavailable) => Some(refused),
        MessageOutcome::Failed(Reason::CounterUnavailable) => Some(failed),
        _ => None,
    }
}

#[async_trait]
impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> AdmissionBackend for Local<'_, K, R, H, C, E> {
    async fn admit(&self, application: &AdmissionRequest) -> Result<AdmissionResponse, Refusal> {
        let token = application.token.as_deref();
        let caller = caller::authenticate(token, self.store, &AskAuth(self.http), self.clock).await?;
        let Some(asked) = &application.message else {
            return Ok(AdmissionResponse {
                caller,
                asked_at: self.clock.now(),
                admitted: None,
                paid: None,
                held: Holds::default(),
            });
        };
        self.client.is_there();
        if let Some(once) = &asked.once {
            self.look(once, &caller).await?;
        }
        let asked_at = self.clock.now();
        let claimed = match asked.once.as_ref().filter(|_| self.redis.is_none()) {
            Some(once) => Some(self.claim(once, &caller).await?),
            None => None,
        };
        let (admitted, mut held) = match self.let_in(asked, &caller).await {
            Ok((admitted, held)) => (Ok(admitted), held),
            Err(error) => (Err(error), Holds::default()),
        };
        if let Some((claim, kept)) = claimed {
            (held.claim, held.kept) = (Some(claim), Some(kept));
        }
        let mut paid = None;
        if admitted.is_err() && caller.claims.paid_access {
            let entry = self.paid_entry(&self.paid_ask(asked, &caller)).await;
            (paid, held.paid) = (Some(entry.pass), entry.allowance);
        }
        if let Some(once) = asked.once.as_ref().filter(|_| self.redis.is_some() && self.client.is_there()) {
            match self.claim(once, &caller).await {
                Ok((claim, kept)) => (held.claim, held.kept) = (Some(claim), Some(kept)),
                Err(refusal) => {
                    self.undo(admitted, held).await.map_err(Problem::from)?;
                    return Err(refusal);
                }
            }
        }
        if !self.client.is_there() {
            // Others may have the slot, and the key is free again.
            self.undo(admitted, held).await.map_err(Problem::from)?;
            return Err(Refusal::Away(StoreError("nobody waits for the answer any more".into())));
        }
        Ok(AdmissionResponse { caller, asked_at, admitted: Some(admitted), paid, held })
    }

    async fn close(&self, completion: Completion) -> Result<(), StoreError> {
        let told = self.finish(&completion.ending).await;
        let went_free = completion.ending.tally.is_some_and(|tally| tally.fate == MessageOutcome::Free);
        let Holds { claim, allowance, paid, kept } = completion.held;
        // Only what is given back counts here, not how many there are.
        let counted = Allowance { store: self.store, per_day: 0 };
        if let Some(taken) = allowance.filter(|_| !went_free) {
            counted.give_back(taken).await?;
        }
        if let Some(PaidAllowance::Taken(taken)) = paid
            && !completion.paid_for
        {
            counted.give_back(taken).await?;
        }
        let once = KeyValueIdempotency::new(self.store);
        match (claim, completion.repeats) {
            (Some(claim), ReplayPolicy::Anew) => {
                once.release(claim).await?;
                if let Some(kept) = kept {
                    counted.give_back(kept).await?;
                }
            }
            (Some(claim), ReplayPolicy::Answered(answer)) => self.keep(claim, kept, answer).await?,
            (_, ReplayPolicy::Unknown) | (None, _) => {}
        }
        if completion.tidy {
            once.forget_old(self.clock.now(), AFTER_A_FIRST).await?;
        }
        told.map(drop)
    }

    async fn paid_entry(&self, ask: &PaidAsk) -> PaidEntry {
        let mut allowance = None;
        if let Some(per_day) = ask.daily {
            let taken = Allowance { store: self.store, per_day };
            // While the store is away nobody can count them, and messages are paid for all the same.
            match taken.take(&paid_by(&ask.account), self.clock.now()).await {
                Ok(allowance::Verdict::UsedUp { refills_at }) => {
                    let permit = Permit::Closed { until: refills_at, cause: Cause::Refused };
                    let used_up = Some(PaidAllowance::UsedUp { refills_at });
                    return PaidEntry { pass: PaidPass { key: None, permit }, allowance: used_up };
                }
                Ok(allowance::Verdict::Taken(taken)) => allowance = Some(PaidAllowance::Taken(taken)),
                Err(_) => {}
            }
        }
        PaidEntry { pass: self.paid_pass(ask.with_key).await, allowance }
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.tier().status(self.clock.now()).await
    }

    async fn figures(&self) -> Result<Stats, StoreError> {
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

#[async_trait]
impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Admission for Local<'_, K, R, H, C, E> {
    async fn again(&self, ask: &Ask) -> Result<Decision<AnySlot>, StoreError> {
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

    async fn finish(&self, ending: &RouteOutcome) -> Result<Option<Closed>, StoreError> {
        let now = self.clock.now();
        let counted = match (&ending.settle, ending.tally) {
            (Some((slot, end)), tally) => {
                let settled = self.tier().settle(slot, end, tally, now).await;
                if settled.is_ok() && self.redis.is_some() {
                    self.counter_gate().heard().await;
                }
                settled
            }
            (None, Some(tally)) => self.count(tally).await.map(|()| None),
            (None, None) => Ok(None),
        };
        if let Some(put_at) = ending.counter_silent.filter(|_| self.redis.is_some()) {
            self.counter_gate().given_up(put_at, now).await?;
        }
        match &ending.paid {
            Some(call) => self.paid_ended(call).await.and(counted),
            None => counted,
        }
    }
}
