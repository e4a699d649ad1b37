//! The session record: one value in the shared store that vouches for a session's newest token, says what its
//! account may do now, and ends all its tokens when the session ends.
//!
//! # Invariant
//! A record is a copy of what `auth` has in its database. Anyone who changes the database writes the record
//! afterwards, and then reads the database again until it holds what was written. So whichever writer comes
//! last, the record it leaves is right: an ended session has no `Live` record, and a right that was taken
//! from an account is in none.
//!
//! A record is kept for as long as a token of the session may live. A lost record (a flushed store) costs a
//! signature check, and forgets the ends and grants of a token's lifetime before.

use octo_core::{KeyValue, StoreError};
use subtle::ConstantTimeEq;

use crate::claims::{Rejection, Role, Unverified};

/// What an account may do, wherever that is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Its role.
    pub role: Role,
    /// Whether calls to the paid provider are made for it.
    pub paid_access: bool,
}

/// What the shared store says of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionRecord {
    /// The session goes on.
    Live {
        /// SHA-256 of its newest access token, unpadded base64url.
        digest: String,
        /// What its account may do now, whatever its tokens say.
        grants: Grants,
    },
    /// The session has ended: none of its tokens is accepted.
    Ended,
}

/// What a record says about a token's signature.
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
const PAID: &str = "paid";
const FREE: &str = "free";

fn key(session: &str) -> String {
    format!("auth/session/{session}")
}

impl SessionRecord {
    /// Reads the record of a session.
    pub async fn read(store: &impl KeyValue, session: &str) -> Result<Option<Self>, StoreError> {
        let value = store.get(&key(session)).await?;
        // What cannot be read must not let anybody in.
        Ok(value.map(|bytes| str::from_utf8(&bytes).ok().and_then(live).unwrap_or(SessionRecord::Ended)))
    }

    /// Writes the record of a session.
    pub async fn write(&self, store: &impl KeyValue, session: &str) -> Result<(), StoreError> {
        let text = match self {
            SessionRecord::Live { digest, grants } => {
                let paid = if grants.paid_access { PAID } else { FREE };
                format!("{digest} {} {paid}", grants.role.name())
            }
            SessionRecord::Ended => ENDED.to_owned(),
        };
        store.set(&key(session), text.as_bytes()).await
    }

    /// Removes the record of a session whose tokens have all expired.
    pub async fn remove(store: &impl KeyValue, session: &str) -> Result<(), StoreError> {
        store.delete(&key(session)).await
    }

    /// Compares the record with a token, in constant time.
    pub fn vouches_for(&self, token: &Unverified<'_>) -> Result<(Vouched, Grants), Rejection> {
        match self {
            SessionRecord::Ended => Err(Rejection::Ended),
            SessionRecord::Live { digest, grants } => {
                let same: bool = digest.as_bytes().ct_eq(token.digest().as_bytes()).into();
                Ok((if same { Vouched::Yes } else { Vouched::Unknown }, *grants))
            }
        }
    }
}

fn live(text: &str) -> Option<SessionRecord> {
    let mut words = text.split(' ');
    let (digest, role) = (words.next()?.to_owned(), Role::named(words.next()?)?);
    let paid_access = match words.next()? {
        PAID => true,
        FREE => false,
        _ => return None,
    };
    Some(SessionRecord::Live { digest, grants: Grants { role, paid_access } })
}
