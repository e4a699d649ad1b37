//! The free tier's counter: reserve a slot, send, settle.
//!
//! # Guarantee
//! With any number of instances, the free provider never sees more than [`Limits::calls`] calls in one of
//! its windows, as long as instance and provider clocks agree within [`Limits::skew`] and a call ends within
//! [`Limits::timeout`]. When the store fails no slot is given, so nothing is sent on a guess.
//!
//! A slot is held from its reservation until the call provably cannot share a provider window with a new
//! one. Counting when *sending* is not enough: a call sent just before a window's end can arrive in the next.
//!
//! [`FreeTier`] is the port. [`key_value`] counts with `increment` alone, for providers whose windows are
//! aligned to the clock. [`ledger`] decides for every [`WindowModel`], and [`redis`] lets a Redis server do
//! the same in one script. In [`wait_queue`] messages wait for a slot. What the provider's answers teach is
//! [`learned`]. The figures compare with an [`oracle`], and [`history`] keeps them.

pub mod any;
pub mod history;
pub mod key_value;
pub mod learned;
pub mod ledger;
pub mod model;
pub mod oracle;
pub mod redis;
pub mod wait_queue;
pub mod window;

use octo_core::async_trait;
use std::time::Duration;

use octo_core::{StoreError, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    breaker::{Cause, Pass},
    stats::{Stats, StatsEvent},
};

use learned::Learned;

pub use any::{AnyFreeTier, AnySlot};
pub use key_value::KeyValueFreeTier;
pub use ledger::{Ledger, Slot};
pub use model::WindowModel;
pub use redis::RedisFreeTier;
pub use window::WindowId;

/// What the free provider allows, and how sharply we can know it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// N: calls per window.
    pub calls: i64,
    /// P: the window's length.
    pub window: Duration,
    /// B: how long the provider blocks after an overrun, at least.
    pub block: Duration,
    /// T: a call that has not ended by then is given up, and may have arrived at any time before.
    pub timeout: Duration,
    /// u: how far our clocks and the provider's may disagree.
    pub skew: Duration,
}

/// The shared counter of free calls.
#[async_trait]
pub trait FreeTier: Send + Sync {
    /// A held slot.
    type Slot;

    /// Asks for a slot at `now`. Gives one exactly when fewer than N are held in every window the call may
    /// fall in, and nobody who waits has to be let in before.
    async fn reserve(&self, ask: &Ask, now: UnixMillis) -> Result<Decision<Self::Slot>, StoreError>;

    /// Tells how the call with this slot ended at `now`, and what became of its message if that is known.
    /// Without it (a crash) the slot stays held as for a call whose outcome is unknown, which is safe.
    /// Returns why the next call could not go, if it could not; `None` also where that was not looked at.
    async fn settle(
        &self,
        slot: &Self::Slot,
        end: &End,
        tally: Option<StatsEvent>,
        now: UnixMillis,
    ) -> Result<Option<Closed>, StoreError>;

    /// Counts what became of a message that holds no slot.
    async fn record(&self, tally: StatsEvent, now: UnixMillis) -> Result<(), StoreError>;

    /// The state at `now`, without taking a slot.
    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError>;

    /// What became of the messages so far.
    async fn figures(&self, now: UnixMillis) -> Result<Stats, StoreError>;
}

/// What a message asks of the counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The message's id; its place in the line while it waits.
    pub id: String,
    /// Whether this message asks for the first time. The oracle of the figures counts it then.
    pub first: bool,
    /// Until when it would rather wait for a free slot than go without one.
    pub wait_until: Option<UnixMillis>,
}

/// How a call ended, and what the provider said of its limit with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Whether and when it can have arrived.
    pub outcome: Outcome,
    /// The fields of its answer.
    pub told: RateLimitHints,
}

/// What a response of the provider tells about its limit. All of it may be missing, and none of it is
/// believed to allow more than the operator's variables do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimitHints {
    /// q: calls per window of the operator's length.
    pub limit: Option<i64>,
    /// r: calls left.
    pub remaining: Option<i64>,
    /// t: until there are more.
    pub reset: Option<Duration>,
    /// q of the policy that r is of, whatever its window.
    pub quota: Option<i64>,
    /// What is left is counted over a window of another length than the operator's.
    pub foreign: bool,
    /// The provider's clock when it answered, to the second.
    pub date: Option<UnixMillis>,
}

/// The answer to [`FreeTier::reserve`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision<Slot = Reservation> {
    /// Send the call to the free provider, then settle.
    Allow(Slot),
    /// In line for a slot that may come in time: ask again then, at most [`wait_queue::ASK_AGAIN`] later, with the
    /// same id, or lose the place.
    Queue(UnixMillis),
    /// Do not call the free provider.
    Deny(Closed),
}

/// A slot of [`KeyValueFreeTier`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// s, on the instance's clock.
    pub reserved_at: UnixMillis,
    /// The windows it is counted in, by the provider's clock, oldest first.
    pub windows: Vec<WindowId>,
    /// Its number in the window where that is highest: as many slots were held there with it.
    pub used: i64,
    /// Slots left after this one, in the current window or the one it is booked in.
    pub remaining: i64,
    /// How it passed the gate; given back with its end.
    pub pass: Pass,
    /// When the call may be sent, for a slot booked in a window to come.
    pub starts_at: Option<UnixMillis>,
    /// What was known of the provider: nothing is written when its end teaches nothing else.
    pub learned: Learned,
}

/// The free provider has no room, or is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Why.
    pub reason: ClosedReason,
    /// When it is next worth asking.
    pub reopens_at: UnixMillis,
}

/// Why the free provider is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedReason {
    /// Every slot of the window is held.
    FreeExhausted,
    /// The provider refused a call and is left alone for a while.
    FreeBlocked,
    /// The provider gave no result several times in a row and is left alone for a while.
    FreeFailing,
}

impl From<Cause> for ClosedReason {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Refused => Self::FreeBlocked,
            Cause::Failing => Self::FreeFailing,
        }
    }
}

/// How a call ended, as far as the counters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The provider processed the call: it arrived, and was counted, between its reservation and now.
    Answered,
    /// The provider refused it for quota, and said for how long when it said so. It counts such calls, too.
    Refused {
        /// The provider's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The provider asks to be left alone for a while. No telling whether it counted the call.
    Overloaded {
        /// For so long.
        wait: Duration,
    },
    /// The provider refused this message, which says nothing of others. No telling whether it counted the call.
    Rejected,
    /// Provably never sent: the slot is given back.
    NotSent,
    /// The call was not made, for no fault of the provider's: the slot came too late. It is given back, and
    /// says nothing of the provider.
    Unused,
    /// A failure, and no telling whether or when the call arrived (timeout, broken connection, an error from
    /// somewhere on the way).
    Unknown,
}

impl Outcome {
    /// Whether it tells when the call was over. Otherwise its slot is held for as long as it could take.
    pub fn ends_the_call(self) -> bool {
        matches!(self, Self::Answered | Self::Refused { .. } | Self::NotSent | Self::Unused)
    }
}

/// The free tier as `GET /messages/quota` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Calls per window: N, or less when the provider was found to allow less.
    pub limit: i64,
    /// Slots held in the current window.
    pub used: i64,
    /// Slots a call made now could still get.
    pub remaining: i64,
    /// When the current window began.
    pub window_starts_at: UnixMillis,
    /// When it ends.
    pub window_ends_at: UnixMillis,
    /// Why the free provider would not be called now, and until when.
    pub closed: Option<Closed>,
}
