//! The answers, from the stores.

use std::time::Duration;

use octo_core::{Clock, Entropy, HttpOut, KeyValue, Redis, StoreError};
use octo_edge::{
    ServiceKey,
    caller::{self, AskAuth},
};
use octo_gateway::{
    TierConfig,
    admission::{Admission, Admitted, Ending, PaidCall, PaidPass},
    figures::Figures,
    free_tier::{
        AnyFreeTier, AnySlot, Ask, FreeTier, Gate, KeyValueFreeTier, Outcome, RedisFreeTier, Status, Verdict,
        gate::{Pass, Permit},
    },
    routing::Permission,
};

use crate::desk::{Application, Asked, Desk, Entry, Refusal};

/// How long the paid provider is left alone when it refuses a call without saying for how long.
const PAID_PAUSE: Duration = Duration::from_secs(1);

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
            Outcome::NotSent | Outcome::Unknown => gate.failed(&call.pass, now).await,
            Outcome::Refused { retry_after } => gate.refused(now + retry_after.unwrap_or(PAID_PAUSE)).await,
        }
    }

    async fn ask(&self, asked: &Asked, paid_access: bool) -> Result<Admitted, StoreError> {
        let ask = Ask { id: asked.id.clone(), first: true, wait_until: asked.wait_until };
        let verdict = self.tier().reserve(&ask, self.clock.now()).await?;
        let paid = match &verdict {
            Verdict::Closed(_) if paid_access => Some(self.paid_pass(asked.needs_paid_key).await),
            _ => None,
        };
        Ok(Admitted { permission: Permission::Tier(verdict), paid })
    }
}

impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Desk for Local<'_, K, R, H, C, E> {
    async fn admit(&self, application: &Application) -> Result<Entry, Refusal> {
        let token = application.token.as_deref();
        let caller = caller::authenticate(token, self.store, &AskAuth(self.http), self.clock).await?;
        let admitted = match &application.message {
            Some(asked) => Some(self.ask(asked, caller.claims.paid_access).await),
            None => None,
        };
        Ok(Entry { caller, admitted })
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.tier().status(self.clock.now()).await
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        self.tier().figures(self.clock.now()).await
    }
}

impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Admission for Local<'_, K, R, H, C, E> {
    async fn again(&self, ask: &Ask) -> Result<Verdict<AnySlot>, StoreError> {
        self.tier().reserve(ask, self.clock.now()).await
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

    async fn finish(&self, ending: &Ending) -> Result<(), StoreError> {
        let (tier, now) = (self.tier(), self.clock.now());
        let counted = match (&ending.settle, ending.tally) {
            (Some((slot, end)), tally) => tier.settle(slot, end, tally, now).await,
            (None, Some(tally)) => tier.record(tally, now).await,
            (None, None) => Ok(()),
        };
        match &ending.paid {
            Some(call) => self.paid_ended(call).await.and(counted),
            None => counted,
        }
    }
}
