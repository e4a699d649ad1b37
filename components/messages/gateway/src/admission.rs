//! What routing asks of the stores: whether a message may go free, what the paid provider takes, and in the
//! end how it went.
//!
//! Behind this port the stores may be right here or, with a bound on every wait, in another component.

use auto_impl::auto_impl;
use octo_core::{StoreError, UnixMillis, async_trait};
use serde::{Deserialize, Serialize};

use crate::{
    breaker::{Pass, Permit},
    free_tier::{AnySlot, Ask, Closed, Decision, End, Outcome},
    routing::Permission,
    stats::StatsEvent,
};

/// The way to the stores for a message that was admitted.
#[async_trait]
#[auto_impl(&, Box)]
pub trait Admission: Send + Sync {
    /// Asks again for a free slot, for a message in line.
    async fn again(&self, ask: &Ask) -> Result<Decision<AnySlot>, StoreError>;

    /// What a call to the paid provider takes; with the key that the application itself made for it, if
    /// `with_key`.
    async fn paid_pass(&self, with_key: bool) -> PaidPass;

    /// Tells the stores how it went. Returns why the next message could not go free, if a call did not go well and
    /// so it is.
    async fn finish(&self, ending: &RouteOutcome) -> Result<Option<Closed>, StoreError>;
}

/// What a message is told when it is admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// Whether it may go free.
    pub permission: Permission,
    /// For one that may not, and whose sender may pay: what the paid provider takes.
    pub paid: Option<PaidPass>,
}

/// What a call to the paid provider takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidPass {
    /// The key that the application made, if that was asked for.
    pub key: Option<Result<String, StoreError>>,
    /// Whether the provider may be called: not for a while after it refused calls or failed. While the store
    /// is away nobody knows, and it may.
    pub permit: Permit,
}

/// How a call to the paid provider ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidCall {
    /// Whether it answered.
    pub outcome: Outcome,
    /// What let the call pass.
    pub pass: Pass,
}

/// What the stores are to be told of a message, all at once or part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteOutcome {
    /// The slot of the free call, and how that ended.
    pub settle: Option<(AnySlot, End)>,
    /// The call to the paid provider.
    pub paid: Option<PaidCall>,
    /// What became of the message.
    pub tally: Option<StatsEvent>,
    /// Since when there was no answer to whether it may go free: the counter was asked then, and gave none in time.
    pub counter_silent: Option<UnixMillis>,
}
