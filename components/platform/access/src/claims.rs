//! The claims of an access token and the rules they must meet.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use octo_core::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// `iss`: who signs.
pub const ISSUER: &str = "octo";
/// `aud`: whom tokens are for. Other kinds of token will name another audience.
pub const AUDIENCE: &str = "octo-api";
/// `typ` of the header (RFC 9068, section 2.1): no other kind of JWT passes as an access token.
pub const TYPE: &str = "at+jwt";
/// Longest token accepted, in bytes; ours have about 450.
pub const MAX_LENGTH: usize = 2048;
/// The longest an access token may hold, in seconds. Anyone who gets hold of a signing key makes no token that outlives its
/// replacement by more.
pub const LONGEST_SECS: i64 = 3600;
/// How far ahead of ours the signer's clock may run.
pub(crate) const SKEW_SECS: i64 = 5;

/// What an account may do beyond its own things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Its own things only.
    User,
    /// Everything.
    Admin,
    /// What other systems need to work with accounts: it may ask whose a token is.
    Service,
}

impl Role {
    /// Its name, as in claims.
    pub fn name(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Admin => "admin",
            Role::Service => "service",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Role::User, Role::Admin, Role::Service].into_iter().find(|role| role.name() == name)
    }
}

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it.
    pub iss: String,
    /// The account's number, as text.
    pub sub: String,
    /// Whom it is for.
    pub aud: String,
    /// When it was signed, in seconds since the epoch.
    pub iat: i64,
    /// Until when it holds, in seconds since the epoch, exclusive.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
    /// The session it belongs to: one login and all its refreshes.
    pub sid: String,
    /// The account's role.
    pub role: Role,
    /// Whether calls to the paid provider are made for this account.
    pub paid_access: bool,
    /// Further claims that a client looks at. Written only: nothing of ours goes by them.
    #[serde(flatten, skip_deserializing)]
    pub further: Map<String, Value>,
}

/// Why a token is not accepted. The client sees one answer for all of them; the log sees which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no token.
    #[error("no token")]
    Missing,
    /// It is no JWT of ours: too long, not three parts, not the claims of an access token.
    #[error("malformed")]
    Malformed,
    /// The signature, its algorithm, its key or its type is wrong.
    #[error("not signed by us")]
    NotSigned,
    /// It is for another audience or from another issuer.
    #[error("wrong issuer or audience")]
    WrongAudience,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// Its time has not come.
    #[error("issued in the future")]
    FromTheFuture,
    /// It would hold for longer than any of ours.
    #[error("holds for too long")]
    HoldsTooLong,
    /// Its session was ended.
    #[error("session ended")]
    Ended,
}

impl Claims {
    /// Checks issuer, audience and times at `now`. Says nothing about the signature.
    pub fn check(&self, now: UnixMillis) -> Result<(), Rejection> {
        if self.iss != ISSUER || self.aud != AUDIENCE {
            return Err(Rejection::WrongAudience);
        }
        if now.as_secs() >= self.exp {
            return Err(Rejection::Expired);
        }
        if self.iat > now.as_secs() + SKEW_SECS {
            return Err(Rejection::FromTheFuture);
        }
        if self.exp.saturating_sub(self.iat) > LONGEST_SECS {
            return Err(Rejection::HoldsTooLong);
        }
        Ok(())
    }

    /// The account's number.
    pub fn user_id(&self) -> Option<i64> {
        self.sub.parse().ok()
    }
}

/// A token as it arrived, with claims nobody has vouched for.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    /// The token.
    pub token: &'a str,
    /// What it says.
    pub claims: Claims,
}

impl<'a> Unverified<'a> {
    /// Reads the claims of `token`. The session id has the form of a UUID, so it is fit to be part of a key.
    pub fn parse(token: &'a str) -> Result<Self, Rejection> {
        if token.len() > MAX_LENGTH {
            return Err(Rejection::Malformed);
        }
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Rejection::Malformed);
        };
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| Rejection::Malformed)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Rejection::Malformed)?;
        let is_uuid = claims.sid.len() == 36
            && claims.sid.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        if !is_uuid {
            return Err(Rejection::Malformed);
        }
        Ok(Self { token, claims })
    }

    /// The SHA-256 digest of the token, as unpadded base64url.
    pub fn digest(&self) -> String {
        digest(self.token)
    }
}

/// The SHA-256 digest of `token`, as unpadded base64url.
pub fn digest(token: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}
