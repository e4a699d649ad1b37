//! Free while it has room, paid otherwise.
//!
//! # Invariant
//! For one call of [`Gateway::route`] each provider is called at most once, and the free one only with a
//! slot. Paid is called only for a sender with paid access, and only when free was closed, failed, or
//! unknowable.

use std::time::Duration;

use octo_core::{Clock, HttpOut, StoreError, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    Message,
    admission::{Admission, Admitted, PaidCall, PaidPass, RouteOutcome},
    breaker::{Pass, Permit},
    free_tier::{AnySlot, Ask, Closed, ClosedReason, Decision, End, Outcome, RateLimitHints},
    provider::{self, Endpoint},
    response::Failure,
    stats::{MessageOutcome, StatsEvent},
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

impl Reason {
    /// Its name in answers and figures.
    pub fn name(self) -> &'static str {
        match self {
            Reason::FreeAvailable => "free_available",
            Reason::FreeExhausted => "free_exhausted",
            Reason::FreeBlocked => "free_blocked",
            Reason::FreeFailing => "free_failing",
            Reason::FreeFailed => "free_failed",
            Reason::AllowanceUsed => "allowance_used",
            Reason::CounterUnavailable => "counter_unavailable",
        }
    }
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

/// A message nobody processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unprocessed {
    /// The free provider is closed, and the sender has no paid access.
    Closed(Closed),
    /// The sender's free messages of the day are used up until the given time, and they have no paid access.
    AllowanceUsed(UnixMillis),
    /// The free provider is closed or failed, and the sender's paid messages of the day are used up.
    PaidAllowanceUsed {
        /// Until then.
        refills_at: UnixMillis,
        /// When it is next worth sending the message: a free call may be possible before.
        again_at: UnixMillis,
    },
    /// The free tier cannot be counted, and the sender has no paid access.
    CounterUnavailable,
    /// The free provider failed, and the sender has no paid access.
    FreeFailed {
        /// What it did.
        failure: Failure,
        /// Until when it would not take the message again, if that is known.
        closed: Option<Closed>,
    },
    /// The paid provider failed; the free one too, or was not called, for the given reason.
    PaidFailed {
        /// What the paid provider did.
        paid: PaidFailure,
        /// Why the free provider was not used.
        reason: Reason,
        /// What the free provider did, when it was called.
        free: Option<Failure>,
    },
}

/// Why the paid provider gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaidFailure {
    /// It was called.
    Called(Failure),
    /// It failed or refused before and is left alone until then.
    LeftAlone(UnixMillis),
    /// Its credential could not be read.
    NoCredential,
}

/// What a message's way was, and what went wrong with the stores on it.
#[derive(Debug)]
pub struct Routed {
    /// The end of it.
    pub result: Result<Processed, Unprocessed>,
    /// What the free provider did wrong, if it was called and failed. For the log.
    pub free_failure: Option<Failure>,
    /// What the paid provider did wrong, if it was called and failed. For the log.
    pub paid_failure: Option<Failure>,
    /// Failures of the stores. For the log; the answer does not depend on a lost settlement.
    pub store_errors: Vec<StoreError>,
    /// Whether a provider may have seen the message.
    pub sent: bool,
    /// Whether a provider processed it, or may have: sent again, it might be processed twice.
    pub may_be_processed: bool,
    /// How long it waited in line for a free slot.
    pub waited: Duration,
    /// What the stores are to be told. Nothing is lost with it but money and figures, so it may follow the
    /// answer.
    pub ending: RouteOutcome,
}

impl Routed {
    /// Whether the paid provider processed the message, or may have.
    pub fn paid_for(&self) -> bool {
        match &self.result {
            Ok(processed) => processed.provider == Provider::Paid,
            Err(Unprocessed::PaidFailed { paid: PaidFailure::Called(failure), .. }) => {
                failure.may_have_been_processed()
            }
            Err(_) => false,
        }
    }
}

/// A message and what routing must know of who sends it.
#[derive(Clone, Debug)]
pub struct Dispatch<'a> {
    /// The message's id.
    pub id: &'a str,
    /// What is to be processed.
    pub message: &'a Message,
    /// Whether calls to the paid provider are made for its sender.
    pub paid_access: bool,
    /// When the counter was asked for the slot: what it took to answer is part of a call's time.
    pub asked_at: UnixMillis,
    /// Until when the sender would rather wait for a free slot than go without one.
    pub wait_until: Option<UnixMillis>,
}

/// Longest pause of a message in line between two asks: a slot may come back early.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Shortest one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// The gateway with what it works on.
#[derive(Debug)]
pub struct Gateway<'a, A, H, C> {
    /// The free provider.
    pub free: &'a Endpoint,
    /// The paid provider.
    pub paid: &'a Endpoint,
    /// The way to the stores.
    pub admission: &'a A,
    /// The way to the providers.
    pub http: &'a H,
    /// This instance's clock.
    pub clock: &'a C,
}

impl<A: Admission, H: HttpOut, C: Clock> Gateway<'_, A, H, C> {
    /// Routes a message that was admitted.
    pub async fn route(&self, dispatch: &Dispatch<'_>, admitted: Result<Admitted, StoreError>) -> Routed {
        let mut routed = Routed {
            result: Err(Unprocessed::CounterUnavailable),
            free_failure: None,
            paid_failure: None,
            store_errors: vec![],
            sent: false,
            may_be_processed: false,
            waited: Duration::ZERO,
            ending: RouteOutcome::default(),
        };
        let (permission, pass) = match admitted {
            Ok(admitted) => (Ok(admitted.permission), admitted.paid),
            Err(error) => (Err(error), None),
        };
        let (fate, result) = match self.try_free(dispatch, permission, &mut routed).await {
            Free::Processed(processed) => (MessageOutcome::Free, Ok(processed)),
            Free::Not(reason, _) if dispatch.paid_access => {
                let result = self.pay(dispatch, reason, pass, &mut routed).await;
                (
                    if result.is_ok() {
                        MessageOutcome::Paid(reason)
                    } else {
                        MessageOutcome::Failed(reason)
                    },
                    result,
                )
            }
            Free::Not(reason, unprocessed) if routed.sent => {
                (MessageOutcome::Failed(reason), Err(unprocessed))
            }
            Free::Not(reason, unprocessed) => (MessageOutcome::Refused(reason), Err(unprocessed)),
        };
        routed.ending.tally = Some(StatsEvent { fate, waited: !routed.waited.is_zero() });
        routed.result = result;
        routed
    }

    /// Reserve, send, settle.
    async fn try_free(
        &self,
        dispatch: &Dispatch<'_>,
        permission: Result<Permission, StoreError>,
        routed: &mut Routed,
    ) -> Free {
        let (slot, asked_at) = match self.wait(dispatch, permission, routed).await {
            Ok(given) => given,
            Err(not) => return not,
        };
        let called = self.clock.now();
        // The counter takes the call to be over within the timeout from its reservation: what the store took
        // to answer is part of that.
        let late = called.since(slot.starts_at().unwrap_or(asked_at));
        if late > self.free.timeout / 2 {
            let error = StoreError(format!("it took {} ms to give a slot", late.as_millis()));
            routed.store_errors.push(error);
            self.settle(slot, Outcome::Unused, RateLimitHints::default(), routed).await;
            return Free::unknowable();
        }
        let key = self.free.key.as_deref();
        let timeout = self.free.timeout - late;
        let called =
            provider::call(self.http, self.free, key, dispatch.id, dispatch.message, timeout, self.clock)
                .await;
        let (outcome, told) = (called.outcome(), called.told);
        // A provider that was given much less time than it should have has not failed for that.
        let cut_short = late > self.free.timeout / 8 && matches!(called.result, Err(Failure::TimedOut));
        let outcome = if cut_short && !slot.probes() { Outcome::Rejected } else { outcome };
        routed.sent |= outcome != Outcome::NotSent;
        let maybe_processed = called.result.as_ref().err().is_none_or(Failure::may_have_been_processed);
        routed.may_be_processed |= maybe_processed;
        match called.result {
            Ok(response) => {
                let remaining = Some(slot.remaining());
                if slot.probes() {
                    // At once: others wait for the news.
                    self.settle(slot, outcome, told, routed).await;
                } else {
                    routed.ending.settle = Some((slot, End { outcome, told }));
                }
                let (provider, reason) = (Provider::Free, Reason::FreeAvailable);
                Free::Processed(Processed { response, provider, reason, remaining })
            }
            Err(failure) => {
                // At once, before a paid call that may take its time: others must know of a refusal.
                let closed = self.settle(slot, outcome, told, routed).await;
                routed.free_failure = Some(failure.clone());
                Free::Not(Reason::FreeFailed, Unprocessed::FreeFailed { failure, closed })
            }
        }
    }

    /// The slot, and when it was asked for, as soon as there is one; or why there is none in time.
    async fn wait(
        &self,
        dispatch: &Dispatch<'_>,
        permission: Result<Permission, StoreError>,
        routed: &mut Routed,
    ) -> Result<(AnySlot, UnixMillis), Free> {
        let began = dispatch.asked_at;
        let mut asked_at = began;
        let mut verdict = match permission {
            Ok(Permission::Tier(verdict)) => Ok(verdict),
            Ok(Permission::AllowanceUsed(refills_at)) => {
                return Err(Free::Not(Reason::AllowanceUsed, Unprocessed::AllowanceUsed(refills_at)));
            }
            Err(error) => Err(error),
        };
        loop {
            match verdict {
                Ok(Decision::Allow(slot)) => {
                    if let Some(starts_at) = slot.starts_at() {
                        self.clock.sleep(starts_at.since(self.clock.now())).await;
                        routed.waited = self.clock.now().since(began);
                    }
                    return Ok((slot, asked_at));
                }
                Ok(Decision::Queue(until)) => {
                    let pause = until.since(self.clock.now()).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                    self.clock.sleep(pause).await;
                    asked_at = self.clock.now();
                    routed.waited = asked_at.since(began);
                    // Past its time it is told so only if it asks without one.
                    let wait_until = dispatch.wait_until.filter(|until| *until > asked_at);
                    let ask = Ask { id: dispatch.id.to_owned(), first: false, wait_until };
                    verdict = self.admission.again(&ask).await;
                }
                Ok(Decision::Deny(closed)) => {
                    return Err(Free::Not(closed.reason.into(), Unprocessed::Closed(closed)));
                }
                Err(error) => {
                    routed.store_errors.push(error);
                    return Err(Free::unknowable());
                }
            }
        }
    }

    async fn pay(
        &self,
        dispatch: &Dispatch<'_>,
        reason: Reason,
        pass: Option<PaidPass>,
        routed: &mut Routed,
    ) -> Result<Processed, Unprocessed> {
        let failed = |paid, routed: &Routed| {
            Err(Unprocessed::PaidFailed { paid, reason, free: routed.free_failure.clone() })
        };
        let pass = match pass {
            Some(pass) => pass,
            None => self.admission.paid_pass(self.paid.needs_made_key()).await,
        };
        let permitted = match pass.permit {
            Permit::Go(permitted) => permitted,
            Permit::Closed { until, .. } => return failed(PaidFailure::LeftAlone(until), routed),
        };
        let key = match (&self.paid.key, pass.key) {
            (Some(key), _) => Some(key.clone()),
            (None, Some(Ok(key))) => Some(key),
            (None, None) if !self.paid.needs_made_key() => None,
            (None, missing) => {
                routed.store_errors.extend(missing.and_then(Result::err));
                return failed(PaidFailure::NoCredential, routed);
            }
        };
        let timeout = self.paid.timeout;
        let called = provider::call(
            self.http,
            self.paid,
            key.as_deref(),
            dispatch.id,
            dispatch.message,
            timeout,
            self.clock,
        )
        .await;
        let outcome = called.outcome();
        routed.sent |= outcome != Outcome::NotSent;
        let maybe_processed = called.result.as_ref().err().is_none_or(Failure::may_have_been_processed);
        routed.may_be_processed |= maybe_processed;
        // Without failures before it nothing is to be taken back, and a message that is refused says nothing.
        let says_nothing = match outcome {
            Outcome::Answered => permitted == Pass::default(),
            Outcome::Rejected => permitted.lease.is_none(),
            _ => false,
        };
        if !says_nothing {
            let paid = Some(PaidCall { outcome, pass: permitted });
            self.tell(RouteOutcome { paid, ..RouteOutcome::default() }, routed).await;
        }
        let remaining = matches!(reason, Reason::FreeExhausted | Reason::FreeBlocked).then_some(0);
        match called.result {
            Ok(response) => Ok(Processed { response, provider: Provider::Paid, reason, remaining }),
            Err(failure) => {
                routed.paid_failure = Some(failure.clone());
                failed(PaidFailure::Called(failure), routed)
            }
        }
    }

    async fn settle(
        &self,
        slot: AnySlot,
        outcome: Outcome,
        told: RateLimitHints,
        routed: &mut Routed,
    ) -> Option<Closed> {
        let settle = Some((slot, End { outcome, told }));
        // A settlement that is lost leaves the slot held, which is safe.
        self.tell(RouteOutcome { settle, ..RouteOutcome::default() }, routed).await
    }

    /// Tells the stores now what the next messages must know; why the free provider is closed, if it is then.
    async fn tell(&self, ending: RouteOutcome, routed: &mut Routed) -> Option<Closed> {
        self.admission.finish(&ending).await.unwrap_or_else(|error| {
            routed.store_errors.push(error);
            None
        })
    }
}

/// What came of the free provider: a result, or the reason to use the paid one and what to tell a sender who
/// has no paid access.
enum Free {
    Processed(Processed),
    Not(Reason, Unprocessed),
}

impl Free {
    fn unknowable() -> Self {
        Free::Not(Reason::CounterUnavailable, Unprocessed::CounterUnavailable)
    }
}

/// Whether a message may go free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each message, and the large one is the common one; on wasm it is not as large"
)]
pub enum Permission {
    /// As the counter of all messages says.
    Tier(Decision<AnySlot>),
    /// Its sender's free messages of the day are used up until then.
    AllowanceUsed(UnixMillis),
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

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
