//! The counter in the form the operator's variables choose.

use octo_core::async_trait;
use octo_core::{KeyValue, Redis, StoreError, UnixMillis};
use serde::{Deserialize, Serialize};

use super::{
    Ask, Closed, Decision, End, FreeTier, KeyValueFreeTier, RedisFreeTier, Reservation, Slot, Status,
};
use crate::stats::{Stats, StatsEvent};

/// [`FreeTier`] over either store.
#[derive(Debug)]
pub enum AnyFreeTier<'a, K, R> {
    /// In the key-value store.
    KeyValue(KeyValueFreeTier<'a, K>),
    /// In a Redis server.
    Redis(RedisFreeTier<'a, R>),
}

/// A slot of either form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnySlot {
    /// Of [`AnyFreeTier::KeyValue`].
    KeyValue(Reservation),
    /// Of [`AnyFreeTier::Redis`].
    Redis(Slot),
}

#[async_trait]
impl<K: KeyValue, R: Redis> FreeTier for AnyFreeTier<'_, K, R> {
    type Slot = AnySlot;

    async fn reserve(&self, ask: &Ask, now: UnixMillis) -> Result<Decision<AnySlot>, StoreError> {
        Ok(match self {
            Self::KeyValue(tier) => tier.reserve(ask, now).await?.map(AnySlot::KeyValue),
            Self::Redis(tier) => tier.reserve(ask, now).await?.map(AnySlot::Redis),
        })
    }

    async fn settle(
        &self,
        slot: &AnySlot,
        end: &End,
        tally: Option<StatsEvent>,
        now: UnixMillis,
    ) -> Result<Option<Closed>, StoreError> {
        match (self, slot) {
            (Self::KeyValue(tier), AnySlot::KeyValue(slot)) => tier.settle(slot, end, tally, now).await,
            (Self::Redis(tier), AnySlot::Redis(slot)) => tier.settle(slot, end, tally, now).await,
            // The operator changed the form in between: the slot's own store lets it go by itself.
            _ => Ok(None),
        }
    }

    async fn record(&self, tally: StatsEvent, now: UnixMillis) -> Result<(), StoreError> {
        match self {
            Self::KeyValue(tier) => tier.record(tally, now).await,
            Self::Redis(tier) => tier.record(tally, now).await,
        }
    }

    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError> {
        match self {
            Self::KeyValue(tier) => tier.status(now).await,
            Self::Redis(tier) => tier.status(now).await,
        }
    }

    async fn figures(&self, now: UnixMillis) -> Result<Stats, StoreError> {
        match self {
            Self::KeyValue(tier) => tier.figures(now).await,
            Self::Redis(tier) => tier.figures(now).await,
        }
    }
}

impl AnySlot {
    /// Slots left in the window when this one was given.
    pub fn remaining(&self) -> i64 {
        match self {
            Self::KeyValue(slot) => slot.remaining,
            Self::Redis(slot) => slot.remaining,
        }
    }

    /// Whether its call finds out if a closed provider is open again.
    pub fn probes(&self) -> bool {
        match self {
            Self::KeyValue(slot) => slot.pass.lease.is_some(),
            Self::Redis(slot) => slot.probes,
        }
    }

    /// When its call may be sent, for a slot booked in a window to come. It must be over T after that time,
    /// whenever it is sent.
    pub fn starts_at(&self) -> Option<UnixMillis> {
        match self {
            Self::KeyValue(slot) => slot.starts_at,
            Self::Redis(_) => None,
        }
    }
}

impl<Slot> Decision<Slot> {
    /// The same with the slot changed by `change`.
    pub fn map<Other>(self, change: impl FnOnce(Slot) -> Other) -> Decision<Other> {
        match self {
            Decision::Allow(slot) => Decision::Allow(change(slot)),
            Decision::Queue(until) => Decision::Queue(until),
            Decision::Deny(closed) => Decision::Deny(closed),
        }
    }
}
