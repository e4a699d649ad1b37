//! What a free provider tells of its limit with its answers.

use octo_sim::provider::Provider;

use super::log::Limit;
use super::server::Reply;

/// The fields of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fields {
    /// None.
    #[default]
    None,
    /// `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    Draft,
    /// `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, of earlier versions of that draft.
    Three,
}

/// What a provider's room is at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Calls it would take at once.
    remaining: i64,
    /// Until it would take more, or for a window or a block when it never will; seconds, rounded up.
    pub(super) reset: i64,
}

impl Room {
    /// The room that `provider` has at `now`.
    pub(super) fn at(now: i64, provider: &Provider, limit: &Limit) -> Self {
        let remaining = remaining(now, provider, limit);
        // Without more calls the room never shrinks, so the time when it grows can be halved down to.
        let (mut before, mut after) = (0, limit.period.max(limit.block));
        while after - before > 1 {
            let middle = (before + after) / 2;
            if remaining_at_least(remaining + 1, now + middle, provider) {
                after = middle;
            } else {
                before = middle;
            }
        }
        Self { remaining, reset: (after + 999) / 1000 }
    }
}

fn remaining(now: i64, provider: &Provider, limit: &Limit) -> i64 {
    let mut tried = provider.clone();
    (0..limit.calls).take_while(|_| tried.arrive(now)).count() as i64
}

fn remaining_at_least(calls: i64, now: i64, provider: &Provider) -> bool {
    let mut tried = provider.clone();
    (0..calls).all(|_| tried.arrive(now))
}

impl Fields {
    pub(super) fn add(self, reply: &mut Reply, room: Room, limit: &Limit) {
        let seconds = (limit.period + 999) / 1000;
        let fields = match self {
            Self::None => vec![],
            Self::Draft => vec![
                ("ratelimit-policy", format!("\"calls\";q={};w={seconds}", limit.calls)),
                ("ratelimit", format!("\"calls\";r={};t={}", room.remaining, room.reset)),
            ],
            Self::Three => vec![
                ("ratelimit-limit", limit.calls.to_string()),
                ("ratelimit-remaining", room.remaining.to_string()),
                ("ratelimit-reset", room.reset.to_string()),
            ],
        };
        for (name, value) in fields {
            reply.headers_mut().insert(name, value.parse().unwrap());
        }
    }
}
