//! A provider's [`Breaker`] in a key-value store, shared by all instances.
//!
//! All of it is one record, read with one `get`; nothing is written while all is well. Beside the breaker
//! the record has room for a **note** of its owner's, who so reads both at once. The gate knows nothing of
//! what the note says, nor of windows: it stands before any provider.
//!
//! # What a race can cost
//! The store has no compare-and-swap worth the name, so of two changes made at the same instant one may be
//! lost. A lost refusal is renewed by the next call, which is refused too; a lost failure is one more until
//! the breaker acts. Only the probe must be one alone: it is elected with `increment`.

use std::{marker::PhantomData, time::Duration};

use octo_core::{KeyValue, StoreError, UnixMillis};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Breaker, Cause};

/// The gate before one provider.
#[derive(Debug)]
pub struct SharedBreaker<'a, K, N = ()> {
    store: &'a K,
    provider: &'a str,
    lease: Duration,
    note: PhantomData<N>,
}

/// The record of a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerState<N = ()> {
    /// What is remembered of the provider's refusals and failures.
    #[serde(flatten)]
    pub breaker: Breaker,
    /// What the owner of the gate remembers beside it.
    #[serde(default)]
    pub note: N,
}

/// Whether a call may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permit {
    /// It may; the pass is to be given back with its end.
    Go(Pass),
    /// It may not.
    Closed {
        /// When it is next worth asking.
        until: UnixMillis,
        /// Why.
        cause: Cause,
    },
}

/// What a call that passed must know when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// The end of the lease, when this is the single probe after a pause.
    pub lease: Option<UnixMillis>,
    /// Failures were recorded when it passed: a success has something to take back.
    pub after_failures: bool,
}

impl<'a, K: KeyValue, N> SharedBreaker<'a, K, N>
where
    N: Clone + Default + PartialEq + Serialize + DeserializeOwned,
{
    /// The gate before `provider`, a part of the keys' names. A probe is given up after `lease`: the longest
    /// time that a call can take.
    pub fn new(store: &'a K, provider: &'a str, lease: Duration) -> Self {
        Self { store, provider, lease, note: PhantomData }
    }

    fn key(&self) -> String {
        format!("gateway/{}/gate", self.provider)
    }

    /// The record. One store call.
    ///
    /// # Errors
    /// When the store fails, or holds something else under this name.
    pub async fn read(&self) -> Result<BreakerState<N>, StoreError> {
        match self.store.get(&self.key()).await? {
            None => Ok(BreakerState::default()),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| StoreError(format!("`{}` is no gate: {error}", self.key()))),
        }
    }

    /// Whether a call may pass at `now`, given the record. No store call while the gate is open or closed,
    /// five when a probe is elected.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn permit(&self, state: &BreakerState<N>, now: UnixMillis) -> Result<Permit, StoreError> {
        let Breaker { until, cause, failures } = state.breaker;
        match until {
            None => Ok(Permit::Go(Pass { lease: None, after_failures: failures > 0 })),
            Some(until) if until > now => Ok(Permit::Closed { until, cause }),
            Some(passed) => self.elect_probe(passed, now).await,
        }
    }

    /// After the pause that ended at `passed`, elects the one call that tries the provider, and closes the
    /// gate behind it for its lease. The election is held anew in every such stretch of time, for a winner
    /// may crash before it takes the lease.
    async fn elect_probe(&self, passed: UnixMillis, now: UnixMillis) -> Result<Permit, StoreError> {
        let turn = now.since(passed).as_millis() / self.lease.as_millis().max(1);
        let key = format!("gateway/{}/probe/{}/{}", self.provider, passed.0, turn);
        let first = self.store.increment(&key, 1).await? == 1;
        // Somebody may have been elected, and even have finished, since the record was read.
        let mut state = self.read().await?;
        let cause = state.breaker.cause;
        let permit = match state.breaker.until {
            None => Permit::Go(Pass { lease: None, after_failures: state.breaker.failures > 0 }),
            Some(until) if until != passed => Permit::Closed { until, cause },
            Some(_) if !first => return Ok(Permit::Closed { until: now + self.lease, cause }),
            Some(_) => {
                let lease = now + self.lease;
                state.breaker.until = Some(lease);
                self.write(&state).await?;
                Permit::Go(Pass { lease: Some(lease), after_failures: true })
            }
        };
        self.store.delete(&key).await?;
        Ok(permit)
    }

    /// The provider answered the call. No store call when there is nothing to take back.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn answered(&self, pass: &Pass) -> Result<(), StoreError> {
        if pass.lease.is_none() && !pass.after_failures {
            return Ok(());
        }
        self.change(|state| state.breaker.answered(pass.holds_lease_of(&state.breaker))).await
    }

    /// The provider refused the call's message. No store call but for a probe.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn rejected(&self, pass: &Pass) -> Result<(), StoreError> {
        if pass.lease.is_none() {
            return Ok(());
        }
        self.change(|state| state.breaker.rejected(pass.holds_lease_of(&state.breaker))).await
    }

    /// The call ended at `now` without a result.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn failed(&self, pass: &Pass, now: UnixMillis) -> Result<(), StoreError> {
        self.change(|state| state.breaker.failed(pass.holds_lease_of(&state.breaker), now)).await
    }

    /// The provider refused a call and is to be left alone until then.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refused(&self, until: UnixMillis) -> Result<(), StoreError> {
        self.change(|state| state.breaker.refused(until)).await
    }

    /// Reads the record, and writes it again if `change` leaves another one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn change(&self, change: impl FnOnce(&mut BreakerState<N>)) -> Result<(), StoreError> {
        let known = self.read().await?;
        let mut state = known.clone();
        change(&mut state);
        if state == known { Ok(()) } else { self.write(&state).await }
    }

    async fn write(&self, state: &BreakerState<N>) -> Result<(), StoreError> {
        let nothing = state.breaker.until.is_none() && state.breaker.failures == 0;
        if nothing && state.note == N::default() {
            return self.store.delete(&self.key()).await;
        }
        let bytes = serde_json::to_vec(state).map_err(|error| StoreError(error.to_string()))?;
        self.store.set(&self.key(), &bytes).await
    }
}

impl Pass {
    /// Whether it is the probe that the breaker waits for. A later deadline, or the lease of a successor,
    /// may have taken its place.
    pub fn holds_lease_of(&self, breaker: &Breaker) -> bool {
        self.lease.is_some() && self.lease == breaker.until
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
