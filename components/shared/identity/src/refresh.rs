//! Refresh tokens: opaque, kept as digests, rotated at every use.
//!
//! # Invariant
//! - A token has exactly one successor, derived from it with a secret of `auth`. So any number of
//!   concurrent refreshes of one token give the same new token, and an answer that was lost can be given
//!   again, although only digests are kept.
//! - A token that was used before is accepted again only for [`GRACE`], and only while its successor is
//!   unused. Otherwise somebody holds a copy: the session ends.
//! - No token of an ended session is accepted.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use octo_core::{Entropy, Sql, SqlError, UnixMillis};
use sha2::{Digest, Sha256};

use crate::shape::Shape;

/// How long a lost answer can be asked for again.
pub const GRACE: Duration = Duration::from_secs(30);
/// Longest refresh token looked at, in bytes; ours have 43.
const MAX_BYTES: usize = 128;

/// A refresh token. Whoever has it has the session.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// A new token.
    pub fn generate(entropy: &impl Entropy) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()))
    }

    /// A token as presented; `None` when it is too long to be one.
    pub fn presented(text: String) -> Option<Self> {
        (text.len() <= MAX_BYTES).then_some(Self(text))
    }

    /// The token that comes after this one.
    pub fn successor(&self, secret: &[u8]) -> Option<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(b"octo refresh successor\0");
        mac.update(self.0.as_bytes());
        Some(Self(BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
    }

    /// The digest it is kept under.
    pub fn digest(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.as_bytes()))
    }

    /// The token itself, for the client.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// What the database knows of a presented token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its session.
    pub session: String,
    /// The session's account.
    pub account: i64,
    /// What its access tokens look like.
    pub shape: Shape,
    /// When the session ends at the latest.
    pub expires_at: UnixMillis,
    /// When it was ended.
    pub ended_at: Option<UnixMillis>,
    /// When the token was first used.
    pub used_at: Option<UnixMillis>,
    /// When its successor was first used.
    pub successor_used_at: Option<UnixMillis>,
}

/// What to do with a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Give its successor: for the first time, or again.
    Rotate,
    /// Refuse it: its session is over.
    Refuse,
    /// Refuse it and end its session: it was copied.
    EndSession,
}

/// Decides about a token at `now`.
pub fn decide(known: &Known, now: UnixMillis) -> Decision {
    if known.ended_at.is_some() || known.expires_at <= now {
        return Decision::Refuse;
    }
    match known.used_at {
        None => Decision::Rotate,
        Some(used_at) if now.since(used_at) <= GRACE && known.successor_used_at.is_none() => Decision::Rotate,
        Some(_) => Decision::EndSession,
    }
}

/// The refresh tokens in the database.
#[derive(Debug)]
pub struct RefreshTokens<'a, S> {
    sql: &'a S,
}

impl<'a, S: Sql> RefreshTokens<'a, S> {
    /// The tokens in `sql`.
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Keeps `token` for a living session.
    pub async fn keep(&self, token: &RefreshToken, session: &str, now: UnixMillis) -> Result<(), SqlError> {
        let statement = "INSERT INTO refresh_tokens (digest, session_id, created_at)
            SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM sessions WHERE id = $2 AND ended_at IS NULL)
            ON CONFLICT (digest) DO NOTHING";
        let parameters = [token.digest().into(), session.into(), now.into()];
        self.sql.query(statement, &parameters).await.map(|_| ())
    }

    /// What is known of `token`.
    pub async fn find(
        &self,
        token: &RefreshToken,
        successor: &RefreshToken,
    ) -> Result<Option<Known>, SqlError> {
        let statement = "SELECT s.id, s.account_id, s.shape, s.expires_at, s.ended_at, t.used_at, n.used_at
            FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
            LEFT JOIN refresh_tokens n ON n.digest = $1 WHERE t.digest = $2";
        type Found =
            (String, i64, String, UnixMillis, Option<UnixMillis>, Option<UnixMillis>, Option<UnixMillis>);
        let parameters = [successor.digest().into(), token.digest().into()];
        let found: Option<Found> = self.sql.first(statement, &parameters).await?;
        let Some((session, account, shape, expires_at, ended_at, used_at, successor_used_at)) = found else {
            return Ok(None);
        };
        let shape = Shape::named(&shape).ok_or_else(|| SqlError::damaged("a row of `sessions`"))?;
        Ok(Some(Known { session, account, shape, expires_at, ended_at, used_at, successor_used_at }))
    }

    /// Keeps `successor` and marks `token` used, in this order: a crash in between leaves `token` unused, and
    /// the client that asks again gets the same successor.
    pub async fn rotate(
        &self,
        token: &RefreshToken,
        successor: &RefreshToken,
        session: &str,
        now: UnixMillis,
    ) -> Result<(), SqlError> {
        self.keep(successor, session, now).await?;
        let statement = "UPDATE refresh_tokens SET used_at = $1 WHERE digest = $2 AND used_at IS NULL";
        self.sql.query(statement, &[now.into(), token.digest().into()]).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::testing::FakeEntropy;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn known() -> Known {
        Known {
            session: "s".into(),
            account: 1,
            shape: Shape::Own,
            expires_at: NOW + Duration::from_secs(60),
            ended_at: None,
            used_at: None,
            successor_used_at: None,
        }
    }

    #[test]
    fn a_successor_is_always_the_same_and_needs_the_secret() {
        let token = RefreshToken::generate(&FakeEntropy::default());
        let successor = token.successor(b"secret").unwrap();
        assert!(token.successor(b"secret").unwrap() == successor);
        assert!(token.successor(b"other").unwrap() != successor);
        assert!(successor.successor(b"secret").unwrap() != successor);
        assert_eq!(token.reveal().len(), 43);
    }

    #[test]
    fn a_used_token_is_accepted_again_only_in_grace_and_only_while_its_successor_is_unused() {
        assert_eq!(decide(&known(), NOW), Decision::Rotate);
        let used = Known { used_at: Some(NOW), ..known() };
        assert_eq!(decide(&used, NOW + GRACE), Decision::Rotate);
        assert_eq!(decide(&used, NOW + GRACE + Duration::from_millis(1)), Decision::EndSession);
        let moved_on = Known { successor_used_at: Some(NOW), ..used };
        assert_eq!(decide(&moved_on, NOW), Decision::EndSession);
    }

    #[test]
    fn no_token_of_a_session_that_is_over_is_accepted() {
        assert_eq!(decide(&Known { ended_at: Some(NOW), ..known() }, NOW), Decision::Refuse);
        assert_eq!(decide(&known(), NOW + Duration::from_secs(60)), Decision::Refuse);
    }
}
