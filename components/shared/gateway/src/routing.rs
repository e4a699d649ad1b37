//! Free while it has room, paid otherwise.
//!
//! # Invariant
//! For one call of [`Gateway::route`] each provider is called at most once, and the free one only with a slot. Paid
//! is called only for a sender with paid access, and only when free was closed, failed, or unknowable.

use octo_core::{Clock, HttpOut, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    Config, Message,
    free_tier::{Ask, Closed, ClosedReason, End, FreeTier, Outcome, Told, Verdict},
    provider::{self, Failure},
};

/// Who processed a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// The provider that takes N calls per window.
    Free,
    /// The provider that is paid for each call.
    Paid,
}

/// Why the free provider was used, or was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It had room.
    FreeAvailable,
    /// Every free slot of the window is taken.
    FreeExhausted,
    /// It refused a call and is left alone for a while.
    FreeBlocked,
    /// It gave no result several times in a row and is left alone for a while.
    FreeFailing,
    /// It was tried and gave no result.
    FreeFailed,
    /// The sender's free messages of the day are used up.
    AllowanceUsed,
    /// The counter's store is away: nothing is sent free on a guess.
    CounterUnavailable,
}

/// A processed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// The provider's result.
    pub response: String,
    /// Who processed it.
    pub provider: Provider,
    /// Why that one.
    pub reason: Reason,
    /// Free slots left in the current window, when the free tier told.
    pub remaining: Option<i64>,
}

/// A message nobody processed. It may be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unprocessed {
    /// The free provider is closed, and the sender has no paid access.
    Closed(Closed),
    /// The free tier cannot be counted, and the sender has no paid access.
    CounterUnavailable,
    /// The free provider failed, and the sender has no paid access.
    FreeFailed(Failure),
    /// The paid provider failed; the free one too, or was not called, for the given reason.
    PaidFailed {
        /// What the paid provider did.
        paid: Failure,
        /// Why the free provider was not used.
        reason: Reason,
        /// What the free provider did, when it was called.
        free: Option<Failure>,
    },
}

/// What a message's way was, and what went wrong with the counter on it.
#[derive(Debug)]
pub struct Routed {
    /// The end of it.
    pub result: Result<Processed, Unprocessed>,
    /// What the free provider did wrong, if it was called and failed. For the log.
    pub free_failure: Option<Failure>,
    /// Failures of the counter's store. For the log; the answer does not depend on a lost settlement.
    pub store_errors: Vec<StoreError>,
}

/// The gateway with what it works on.
#[derive(Debug)]
pub struct Gateway<'a, T, H, C> {
    /// The operator's variables.
    pub config: &'a Config,
    /// The counter of free calls.
    pub tier: T,
    /// The way to the providers.
    pub http: &'a H,
    /// This instance's clock.
    pub clock: &'a C,
}

impl<T: FreeTier, H: HttpOut, C: Clock> Gateway<'_, T, H, C> {
    /// Routes `message` under the id `id` for `sender`. `paid_key` is asked for the paid provider's
    /// credential only when that provider is called.
    pub async fn route(
        &self,
        sender: Sender,
        id: &str,
        message: &Message,
        paid_key: impl AsyncFnOnce() -> Result<Option<String>, StoreError>,
    ) -> Routed {
        let mut log =
            Routed { result: Err(Unprocessed::CounterUnavailable), free_failure: None, store_errors: vec![] };
        let reason = match self.try_free(id, message, &mut log).await {
            Free::Processed(processed) => {
                log.result = Ok(processed);
                return log;
            }
            Free::Not(reason, _) if sender.paid_access => reason,
            Free::Not(_, unprocessed) => {
                log.result = Err(unprocessed);
                return log;
            }
        };
        let paid = match paid_key().await {
            Ok(key) => {
                let endpoint = &self.config.paid;
                let (key, timeout) = (key.as_deref(), endpoint.timeout);
                provider::call(self.http, endpoint, key, id, message, timeout, self.clock.now()).await
            }
            Err(error) => {
                log.store_errors.push(error);
                Err(Failure::Unreachable)
            }
        };
        let remaining = matches!(reason, Reason::FreeExhausted | Reason::FreeBlocked).then_some(0);
        log.result = match paid {
            Ok(response) => Ok(Processed { response, provider: Provider::Paid, reason, remaining }),
            Err(paid) => Err(Unprocessed::PaidFailed { paid, reason, free: log.free_failure.clone() }),
        };
        log
    }

    /// Reserve, send, settle.
    async fn try_free(&self, id: &str, message: &Message, log: &mut Routed) -> Free {
        let asked = self.clock.now();
        let slot =
            match self.tier.reserve(&Ask { id: id.to_owned(), first: true, wait_until: None }, asked).await {
                Ok(Verdict::Go(slot)) => slot,
                Ok(Verdict::Wait(_)) => {
                    return Free::Not(Reason::CounterUnavailable, Unprocessed::CounterUnavailable);
                }
                Ok(Verdict::Closed(closed)) => {
                    return Free::Not(closed.reason.into(), Unprocessed::Closed(closed));
                }
                Err(error) => {
                    log.store_errors.push(error);
                    return Free::Not(Reason::CounterUnavailable, Unprocessed::CounterUnavailable);
                }
            };
        let endpoint = &self.config.free;
        let called = self.clock.now();
        // The counter takes the call to be over within the timeout from its reservation: what the store took
        // to answer is part of that.
        let waited = called.since(asked);
        if waited > endpoint.timeout / 2 {
            log.store_errors.push(StoreError(format!("it took {} ms to give a slot", waited.as_millis())));
            log.store_errors.extend(
                self.tier
                    .settle(&slot, &End { outcome: Outcome::NotSent, told: Told::default() }, None, called)
                    .await
                    .err(),
            );
            return Free::Not(Reason::CounterUnavailable, Unprocessed::CounterUnavailable);
        }
        let (key, timeout) = (endpoint.key.as_deref(), endpoint.timeout - waited);
        let result = provider::call(self.http, endpoint, key, id, message, timeout, called).await;
        let settled = self
            .tier
            .settle(
                &slot,
                &End { outcome: provider::outcome(&result), told: Told::default() },
                None,
                self.clock.now(),
            )
            .await;
        // A settlement that is lost leaves the slot held, which is safe.
        log.store_errors.extend(settled.err());
        match result {
            Ok(response) => Free::Processed(Processed {
                response,
                provider: Provider::Free,
                reason: Reason::FreeAvailable,
                remaining: Some(T::remaining(&slot)),
            }),
            Err(failure) => {
                log.free_failure = Some(failure.clone());
                Free::Not(Reason::FreeFailed, Unprocessed::FreeFailed(failure))
            }
        }
    }
}

/// What came of the free provider: a result, or the reason to use the paid one and what to tell a sender who
/// has no paid access.
enum Free {
    Processed(Processed),
    Not(Reason, Unprocessed),
}

impl From<ClosedReason> for Reason {
    fn from(reason: ClosedReason) -> Self {
        match reason {
            ClosedReason::FreeExhausted => Reason::FreeExhausted,
            ClosedReason::FreeBlocked => Reason::FreeBlocked,
            ClosedReason::FreeFailing => Reason::FreeFailing,
        }
    }
}

/// What routing must know of who sends a message.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// Whether calls to the paid provider are made for them.
    pub paid_access: bool,
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
