//! The session record: one value in the shared store that vouches for a session's newest token, and ends
//! all its tokens when the session ends.
//!
//! # Invariant
//! Only `auth` writes records. It writes `Live` before it hands the token out, and afterwards makes sure
//! that the session has not been ended meanwhile; ending writes `Ended` after the session is marked ended
//! in SQL. So whichever comes last, an ended session is never left with a `Live` record.
//!
//! A record is kept for as long as a token of the session may live. A lost record (a flushed store) costs a
//! signature check, and forgets the end of sessions that ended within a token's lifetime before.

use octo_core::{KeyValue, StoreError};
use subtle::ConstantTimeEq;

use crate::claims::{Rejection, Unverified};

/// What the shared store says of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionRecord {
    /// The session goes on; this is the digest of its newest access token.
    Live {
        /// SHA-256, unpadded base64url.
        digest: String,
    },
    /// The session has ended: none of its tokens is accepted.
    Ended,
}

/// What a record says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// `auth` signed exactly these bytes, and the session goes on.
    Yes,
    /// The record knows another token, or is missing: the signature decides.
    Unknown,
}

/// Where `auth` publishes the JWK Set for the other components, as the JSON text of `/.well-known/jwks.json`.
pub const JWKS_KEY: &str = "auth/jwks";

const ENDED: &str = "ended";

fn key(session: &str) -> String {
    format!("auth/session/{session}")
}

impl SessionRecord {
    /// Reads the record of a session.
    pub async fn read(store: &impl KeyValue, session: &str) -> Result<Option<Self>, StoreError> {
        let value = store.get(&key(session)).await?;
        Ok(value.map(|bytes| match String::from_utf8(bytes) {
            Ok(text) if text != ENDED => SessionRecord::Live { digest: text },
            // What cannot be read must not let anybody in.
            _ => SessionRecord::Ended,
        }))
    }

    /// Writes the record of a session.
    pub async fn write(&self, store: &impl KeyValue, session: &str) -> Result<(), StoreError> {
        let text = match self {
            SessionRecord::Live { digest } => digest,
            SessionRecord::Ended => ENDED,
        };
        store.set(&key(session), text.as_bytes()).await
    }

    /// Removes the record of a session whose tokens have all expired.
    pub async fn remove(store: &impl KeyValue, session: &str) -> Result<(), StoreError> {
        store.delete(&key(session)).await
    }

    /// Compares the record with a token, in constant time.
    pub fn vouches_for(&self, token: &Unverified<'_>) -> Result<Vouched, Rejection> {
        match self {
            SessionRecord::Ended => Err(Rejection::Ended),
            SessionRecord::Live { digest } => {
                let same: bool = digest.as_bytes().ct_eq(token.digest().as_bytes()).into();
                Ok(if same { Vouched::Yes } else { Vouched::Unknown })
            }
        }
    }
}
