//! How a provider differs from what the counter is told of it, and what it tells itself.

use octo_gateway::free_tier::RateLimitHints;

/// The truth about a provider, where it is not what the operator says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    /// Its real limit.
    pub calls: Option<i64>,
    /// How far its clock really is ahead, in milliseconds; within the skew when not given.
    pub ahead: Option<i64>,
    /// What its answers tell.
    pub tells: Tells,
}

/// What a provider's answers tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tells {
    /// q, its limit.
    pub limit: bool,
    /// r and t, the calls left and until when.
    pub room: bool,
    /// Its time.
    pub date: bool,
}

impl Tells {
    /// Everything.
    pub const ALL: Self = Self { limit: true, room: true, date: true };

    /// What is left of all it could tell.
    pub fn of(self, told: RateLimitHints) -> RateLimitHints {
        RateLimitHints {
            limit: told.limit.filter(|_| self.limit),
            remaining: told.remaining.filter(|_| self.room),
            reset: told.reset.filter(|_| self.room),
            quota: told.quota.filter(|_| self.limit && self.room),
            foreign: told.foreign,
            date: told.date.filter(|_| self.date),
        }
    }
}
