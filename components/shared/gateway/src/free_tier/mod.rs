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
//! the same in one script.

pub mod key_value;
pub mod ledger;
pub mod model;
pub mod redis;
pub mod window;

use std::time::Duration;

use octo_core::{StoreError, UnixMillis};
use serde::Serialize;

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
pub trait FreeTier {
    /// A held slot.
    type Slot;

    /// Slots left in the window when this one was given.
    fn remaining(slot: &Self::Slot) -> i64;

    /// Asks for a slot at `now`. Gives one exactly when fewer than N are held in every window the call may
    /// fall in.
    async fn reserve(&self, now: UnixMillis) -> Result<Verdict<Self::Slot>, StoreError>;

    /// Tells how the call with this slot ended at `now`. Without it (a crash) the slot stays held as for a
    /// call whose outcome is unknown, which is safe.
    async fn settle(&self, slot: &Self::Slot, outcome: Outcome, now: UnixMillis) -> Result<(), StoreError>;

    /// The state at `now`, without taking a slot.
    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError>;
}

/// The answer to [`FreeTier::reserve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<Slot = Reservation> {
    /// Send the call to the free provider, then settle.
    Go(Slot),
    /// Do not call the free provider.
    Closed(Closed),
}

/// A slot of [`KeyValueFreeTier`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The windows it is counted in, oldest first.
    pub windows: Vec<WindowId>,
    /// Slots left in the current window after this one.
    pub remaining: i64,
    /// When this is the single call that finds out whether a block is over: the block that stands for its
    /// lease, lifted if the provider answers.
    pub probes: Option<Block>,
}

/// The free provider has no room, or is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Why.
    pub reason: ClosedReason,
    /// When it is next worth asking.
    pub reopens_at: UnixMillis,
}

/// Why the free provider is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedReason {
    /// Every slot of the window is held.
    FreeExhausted,
    /// The provider refused a call and is left alone for a while.
    FreeBlocked,
}

/// A block of the free provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Nobody calls before this time; afterwards a single probe does.
    pub until: UnixMillis,
}

/// How a free call ended, as far as the counter cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider answered: the call arrived, and was counted, between its reservation and now.
    Answered,
    /// The provider answered that it is closed, and for how long when it said so.
    Refused {
        /// The provider's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Provably never sent: the slot is given back.
    NotSent,
    /// No telling whether or when the call arrived (timeout, broken connection, an error from somewhere on
    /// the way).
    Unknown,
}

/// The free tier as `GET /messages/quota` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// N.
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
