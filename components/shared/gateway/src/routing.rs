//! Free while it has room, paid otherwise.
//!
//! # Invariant
//! For one call of [`route`] each provider is called at most once, and the free one only with a slot. Paid
//! is called only for a sender with paid access, and only when free was closed, failed, or unknowable.

use octo_core::{Clock, HttpOut, StoreError};
use serde::Serialize;

use crate::{
    Config, Message,
    free_tier::{Closed, ClosedReason, FreeTier, Verdict},
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

/// Why that provider was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The free provider had room.
    FreeAvailable,
    /// Every free slot of the window is taken.
    FreeExhausted,
    /// The free provider refused a call and is left alone for a while.
    FreeBlocked,
    /// The free provider was tried and gave no result.
    FreeFailed,
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

/// Routes `message` under the id `id` for a sender who has `paid_access` or not.
pub async fn route(
    config: &Config,
    tier: &impl FreeTier,
    http: &impl HttpOut,
    clock: &impl Clock,
    sender: Sender,
    id: &str,
    message: &Message,
) -> Routed {
    let mut store_errors = Vec::new();
    let mut free_failure = None;

    let reason = match tier.reserve(clock.now()).await {
        Ok(Verdict::Go(slot)) => {
            let result = provider::call(http, &config.free, id, message, clock.now()).await;
            let settled = tier.settle(&slot, provider::outcome(&result), clock.now()).await;
            store_errors.extend(settled.err());
            match result {
                Ok(response) => {
                    let (provider, reason) = (Provider::Free, Reason::FreeAvailable);
                    let remaining = Some(slot.remaining);
                    let result = Ok(Processed { response, provider, reason, remaining });
                    return Routed { result, free_failure, store_errors };
                }
                Err(failure) => {
                    free_failure = Some(failure);
                    Reason::FreeFailed
                }
            }
        }
        Ok(Verdict::Closed(closed)) => {
            if !sender.paid_access {
                return Routed { result: Err(Unprocessed::Closed(closed)), free_failure, store_errors };
            }
            match closed.reason {
                ClosedReason::FreeExhausted => Reason::FreeExhausted,
                ClosedReason::FreeBlocked => Reason::FreeBlocked,
            }
        }
        Err(error) => {
            store_errors.push(error);
            Reason::CounterUnavailable
        }
    };

    let result = if sender.paid_access {
        let remaining = matches!(reason, Reason::FreeExhausted | Reason::FreeBlocked).then_some(0);
        match provider::call(http, &config.paid, id, message, clock.now()).await {
            Ok(response) => Ok(Processed { response, provider: Provider::Paid, reason, remaining }),
            Err(paid) => Err(Unprocessed::PaidFailed { paid, reason, free: free_failure.clone() }),
        }
    } else {
        Err(free_failure.clone().map_or(Unprocessed::CounterUnavailable, Unprocessed::FreeFailed))
    };
    Routed { result, free_failure, store_errors }
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
