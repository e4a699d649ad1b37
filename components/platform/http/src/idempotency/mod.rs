//! A request that is repeated is carried out once (`Idempotency-Key`,
//! draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A client that got no answer sends the same request with the same key again. The first request **claims**
//! the key and is carried out; its answer is stored, and every repeat gets that answer. A request that was surely
//! not carried out (refused, turned away, put off) leaves its key free: only what was, or may have been, carried out
//! is kept.
//!
//! # Invariant
//! For one key of one caller and route at most one claim is ever outstanding, and once there was a claim that
//! was not released there is no other for 24 hours; with any number of instances, whatever calls to the
//! store are lost or late, and wherever an instance crashes. [`key_value`] keeps it and says how.
//!
//! When it cannot be kept and the request served as well, the request is refused: a claim that was left
//! without an answer makes the key's outcome *unknown*, for nobody can know how far its holder came.
//!
//! This module must not know what the requests are about.

pub mod answer;
pub mod key;
pub mod key_value;
mod record;
mod register;

use http::StatusCode;
use octo_core::Problem;
use serde::{Deserialize, Serialize};

pub use answer::{REPLAYED, StoredAnswer};
pub use key::{Fingerprint, IdempotencyKey, Scope};
pub use key_value::{Claim, KeyValueIdempotency};

/// What becomes of a request that carries a key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Begun {
    /// It is the first with this key: carry it out, then finish the claim, or release it.
    First(Claim),
    /// It was carried out before, with this answer.
    Replay(StoredAnswer),
    /// It must not be carried out.
    Refused(Refusal),
}

/// Why a request that carries a key is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The first request with this key is still being carried out.
    InFlight,
    /// The first request with this key was another request.
    Mismatch,
    /// The first request with this key never told how it ended.
    Unknown,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InFlight => Problem::new(
                StatusCode::CONFLICT,
                "idempotency-key-in-flight",
                "The first request with this key is not over yet",
                "A request with this Idempotency-Key is being carried out. Send it again in a moment to get its answer.",
            )
            .retry_after(1),
            Refusal::Mismatch => Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The key belongs to another request",
                "This Idempotency-Key was used for a request with other content. Use a new key for a new request.",
            ),
            Refusal::Unknown => Problem::new(
                StatusCode::CONFLICT,
                "idempotency-outcome-unknown",
                "Nobody knows how the first request with this key ended",
                "A request with this Idempotency-Key broke off. It may have been carried out, so it is not \
                 carried out again; if that does no harm, send it with a new key.",
            ),
        }
    }
}
