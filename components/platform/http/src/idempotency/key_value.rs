//! Claims on keys, over a key-value store whose only atomic operation is `increment`.
//!
//! # Why the invariant holds
//! Each key has a counter of claims. Anyone who raises it from nothing to 1 holds the claim; everybody else has
//! lost, for the counter stays. It is removed only
//! - by the holder, as the last call of a release, sent once and never again: whatever becomes of that call,
//!   nobody can claim the key before it takes effect, and the holder does nothing after;
//! - by anybody, a day after the claim, when the key's record has been there for long (`register.rs`).
//!
//! A request looks for the record first. While there is one, nobody touches the counter; so the record,
//! and not the counter, is what repeats read. The record alone decides nothing: when it is lost, or written
//! late by somebody who gave up, repeats are refused with [`Refusal::Unknown`], but none is carried out.
//!
//! It rests on three assumptions: a call to the store takes effect at most once; no request lasts half a day,
//! nor does a call take effect later than that; and clocks agree to within half a day. A store that is
//! flushed forgets its claims.
//!
//! # Cost
//! A first request takes one read, and four writes to claim the key (its number, the counter, its entry in the
//! register, the record), and one to finish. A repeat takes one read. What [`forget_old`] does can wait until
//! the answer is sent, and is also done from time to time, whether requests come or not.
//!
//! [`forget_old`]: KeyValueIdempotency::forget_old

use std::time::Duration;

use octo_core::{KeyValue, StoreError, UnixMillis};
use serde::{Deserialize, Serialize};

use super::{
    Begun, Fingerprint, IdempotencyKey, Refusal, Scope, StoredAnswer,
    key::Name,
    record::{Claimed, Record},
    register::Register,
};

/// How long a claim may be without an answer before its outcome counts as unknown: longer than any platform
/// lets a request last (30 s). A slower holder may still finish; repeats then get its answer.
pub const LEASE: Duration = Duration::from_secs(60);

/// Claims looked at in each step of one [`KeyValueIdempotency::forget_old`] after a first request: more than the one
/// that it added.
pub const AFTER_A_FIRST: usize = 2;

/// The right and duty to carry a request out. Dropping it is what a crash does: the outcome is unknown. It may
/// travel from one component to another, but it is finished or released once: released twice, it would let
/// go of somebody else's claim.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[must_use = "a claim is finished or released"]
pub struct Claim(Claimed);

/// `Idempotency-Key` over a [`KeyValue`] store.
#[derive(Debug)]
pub struct KeyValueIdempotency<'a, K> {
    store: &'a K,
}

impl<'a, K: KeyValue> KeyValueIdempotency<'a, K> {
    /// The claims in `store`.
    pub fn new(store: &'a K) -> Self {
        Self { store }
    }

    /// What becomes of a request with this key and fingerprint at `now`, if the key is in use; `None` while it is
    /// free, to be claimed. In between there is time to find out whether the request can be carried out at all:
    /// nothing holds the key meanwhile.
    pub async fn look(
        &self,
        key: &IdempotencyKey,
        scope: Scope<'_>,
        fingerprint: &Fingerprint,
        now: UnixMillis,
    ) -> Result<Option<Begun>, StoreError> {
        let record = Record::read(self.store, &Name::of(key, scope)).await?;
        Ok(record.map(|record| record.repeated(fingerprint, now)))
    }

    /// Claims a key that was free when it was [looked](Self::look) for. When the store fails the request must not be
    /// carried out; when it fails after the claim was made, the key's outcome is unknown from then on, for who knows
    /// which of the calls took effect.
    pub async fn claim(
        &self,
        key: &IdempotencyKey,
        scope: Scope<'_>,
        fingerprint: Fingerprint,
        now: UnixMillis,
    ) -> Result<Begun, StoreError> {
        let name = Name::of(key, scope);
        // Drawn before the claim, so that a store that fails here leaves the key free.
        let number = self.register().draw().await?;
        if self.store.increment(&counter(&name), 1).await? != 1 {
            return self.lost(&name, &fingerprint, now).await;
        }
        let claim = Claimed { name, number, fingerprint, at: now };
        // The entry comes first: a holder that crashes in between is found by it.
        self.register().write(&claim).await?;
        Record::claimed(claim.clone()).write(self.store).await?;
        Ok(Begun::First(Claim(claim)))
    }

    /// The request was carried out, with this answer. After a failure repeats find the outcome unknown.
    pub async fn finish(&self, claim: Claim, answer: StoredAnswer) -> Result<(), StoreError> {
        Record::answered(claim.0, answer).write(self.store).await
    }

    /// Nothing was carried out: the key is as if it had never been used. After a failure it may be unknown.
    pub async fn release(&self, Claim(claim): Claim) -> Result<(), StoreError> {
        Record::delete(self.store, &claim.name).await?;
        self.store.delete(&missed(&claim.name)).await?;
        // Before the counter, as the register relies on: a claim with an entry still has its counter.
        self.register().strike(claim.number).await?;
        self.store.delete(&counter(&claim.name)).await
    }

    /// Removes something of what is older than a day: at most `at_once` claims in each of two steps. Whether there
    /// is more. Called for [two](AFTER_A_FIRST) after every first request, when its answer is sent, more is removed
    /// than comes; who calls it from time to time has old claims removed also when none comes.
    pub async fn forget_old(&self, now: UnixMillis, at_once: usize) -> Result<bool, StoreError> {
        self.register().forget_old(now, at_once).await
    }

    /// Somebody else holds the claim: their record tells more. While there is none they are about to write
    /// it, or crashed before they did; which, time tells, from the first request on that missed it.
    async fn lost(
        &self,
        name: &Name,
        fingerprint: &Fingerprint,
        now: UnixMillis,
    ) -> Result<Begun, StoreError> {
        if let Some(record) = Record::read(self.store, name).await? {
            return Ok(record.repeated(fingerprint, now));
        }
        let key = missed(name);
        let since = self.store.get(&key).await?;
        let since = since.and_then(|bytes| str::from_utf8(&bytes).ok()?.parse().ok().map(UnixMillis));
        Ok(Begun::Refused(match since {
            Some(since) if now.since(since) > LEASE => Refusal::Unknown,
            Some(_) => Refusal::InFlight,
            None => {
                self.store.set(&key, now.0.to_string().as_bytes()).await?;
                Refusal::InFlight
            }
        }))
    }

    fn register(&self) -> Register<'a, K> {
        Register::new(self.store)
    }
}

/// The counter of claims on a key.
pub(super) fn counter(name: &Name) -> String {
    format!("idempotency/key/{name}/claims")
}

/// When a request first found a claim without a record.
pub(super) fn missed(name: &Name) -> String {
    format!("idempotency/key/{name}/missed")
}

#[cfg(test)]
#[path = "key_value_tests.rs"]
mod tests;
