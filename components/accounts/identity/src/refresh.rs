//! Refresh tokens: opaque, kept as digests, rotated at every use.
//!
//! A session has two rows of them however often it is refreshed: of its first token, which is random, and of the
//! **family** of all that follow. These have a secret in common that is derived from the first token, count their
//! generation, and carry a code by which `auth` knows that it made them. Only the digest of what they have in common is
//! kept, and the newest generation: any older token of the family is known for what it is, at any time.
//!
//! # Invariant
//! - A token has exactly one successor, derived from it with a secret of `auth`. So any number of
//!   concurrent refreshes of one token give the same new token, and an answer that was lost can be given
//!   again, although only digests are kept.
//! - A token that was used before is accepted again only for [`GRACE`], and only while its successor is
//!   unused. Otherwise somebody holds a copy: the session ends.
//! - No token of an ended session is accepted.
//! - Who reads the database can make no token: what a family has in common is in none of its rows.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use octo_core::{
    Entropy, Sql, SqlError, UnixMillis,
    sql::{FromRow, Row},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::shape::Shape;

/// How long a lost answer can be asked for again.
pub const GRACE: Duration = Duration::from_secs(30);
/// Longest refresh token looked at, in bytes; the first one of a session has 43, the others 96.
const MAX_BYTES: usize = 128;

/// A refresh token. Anyone who has it has the session.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

/// A token that follows the first one of its session: what the family has in common, the generation, and the code.
struct Member {
    common: [u8; 32],
    generation: i64,
}

const MEMBER_BYTES: usize = 32 + 8 + 32;

impl Member {
    /// The first token that follows the first token of a session.
    fn after_first(first: &RefreshToken, secret: &[u8]) -> Option<Self> {
        let common = code(secret, b"octo refresh family\0", &[first.0.as_bytes()])?;
        Some(Self { common, generation: 1 })
    }

    /// Reads a token that we made.
    fn read(token: &RefreshToken, secret: &[u8]) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token.0).ok()?;
        let bytes: &[u8; MEMBER_BYTES] = bytes.as_slice().try_into().ok()?;
        let (common, rest) = bytes.split_first_chunk::<32>()?;
        let (generation, presented) = rest.split_first_chunk::<8>()?;
        let member = Self { common: *common, generation: i64::from_be_bytes(*generation) };
        let genuine: bool = member.code(secret)?.as_slice().ct_eq(presented).into();
        (genuine && member.generation > 0).then_some(member)
    }

    fn next(&self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..*self }
    }

    fn code(&self, secret: &[u8]) -> Option<[u8; 32]> {
        code(secret, b"octo refresh token\0", &[&self.common, &self.generation.to_be_bytes()])
    }

    fn token(&self, secret: &[u8]) -> Option<RefreshToken> {
        let bytes = [&self.common[..], &self.generation.to_be_bytes(), &self.code(secret)?].concat();
        Some(RefreshToken(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The digest the family is kept under.
    fn digest(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.common))
    }
}

fn code(secret: &[u8], purpose: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(purpose);
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

impl RefreshToken {
    /// The first token of a session.
    pub fn generate(entropy: &impl Entropy) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()))
    }

    /// A token as presented; `None` when it is too long to be one.
    pub fn presented(text: String) -> Option<Self> {
        (text.len() <= MAX_BYTES).then_some(Self(text))
    }

    /// The token that came after this one in versions before, which kept a row of each.
    fn successor_before(&self, secret: &[u8]) -> Option<Self> {
        let successor = code(secret, b"octo refresh successor\0", &[self.0.as_bytes()])?;
        Some(Self(BASE64_URL_SAFE_NO_PAD.encode(successor)))
    }

    /// The digest it is kept under.
    fn digest(&self) -> String {
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
    /// Whether the token was used, and when, and whether its successor was.
    pub used: Used,
}

/// Whether a token was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// It is the newest one.
    Not,
    /// It was, first at this time, and its successor was not.
    At(UnixMillis),
    /// It was, and so was its successor.
    WithSuccessor,
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
    match known.used {
        Used::Not => Decision::Rotate,
        Used::At(used_at) if now.since(used_at) <= GRACE => Decision::Rotate,
        Used::At(_) | Used::WithSuccessor => Decision::EndSession,
    }
}

/// What comes after a token that was found.
pub struct Successor {
    token: RefreshToken,
    /// What is to be noted before it is given out.
    note: Note,
}

enum Note {
    /// Nothing: it was given out before.
    Nothing,
    /// The family begins, with the token of this digest.
    Begin { first: String, family: String },
    /// The family's newest generation is the one after this.
    Advance { family: String, generation: i64 },
}

/// The refresh tokens in the database.
#[derive(Debug)]
pub struct RefreshTokens<'a, S> {
    sql: &'a S,
}

/// What is read of a token's session.
const SESSION: &str = "s.id, s.account_id, s.shape, s.expires_at, s.ended_at";

impl<'a, S: Sql> RefreshTokens<'a, S> {
    /// The tokens in `sql`.
    pub fn new(sql: &'a S) -> Self {
        Self { sql }
    }

    /// Keeps the first token of a living session.
    pub async fn keep(&self, token: &RefreshToken, session: &str, now: UnixMillis) -> Result<(), SqlError> {
        let statement = "INSERT INTO refresh_tokens (digest, session_id, created_at)
            SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM sessions WHERE id = $2 AND ended_at IS NULL)
            ON CONFLICT (digest) DO NOTHING";
        let parameters = [token.digest().into(), session.into(), now.into()];
        self.sql.query(statement, &parameters).await.map(|_| ())
    }

    /// What is known of `token`, and what comes after it; `None` when it is none of ours.
    pub async fn find(
        &self,
        token: &RefreshToken,
        secret: &[u8],
    ) -> Result<Option<(Known, Successor)>, SqlError> {
        match Member::read(token, secret) {
            Some(member) => self.find_member(&member, secret).await,
            None => self.find_first(token, secret).await,
        }
    }

    async fn find_member(
        &self,
        member: &Member,
        secret: &[u8],
    ) -> Result<Option<(Known, Successor)>, SqlError> {
        let statement = format!(
            "SELECT {SESSION}, f.generation, f.rotated_at
             FROM refresh_families f JOIN sessions s ON s.id = f.session_id WHERE f.digest = $1"
        );
        let found: Option<OfFamily> = self.sql.first(&statement, &[member.digest().into()]).await?;
        let Some(OfFamily { session, generation, rotated_at }) = found else { return Ok(None) };
        let used = match generation.saturating_sub(member.generation) {
            0 => Used::Not,
            1 => Used::At(rotated_at),
            2.. => Used::WithSuccessor,
            // Of a database that was put back to an earlier time.
            _ => return Ok(None),
        };
        let note = match used {
            Used::Not => Note::Advance { family: member.digest(), generation: member.generation },
            Used::At(_) | Used::WithSuccessor => Note::Nothing,
        };
        let token = member.next().token(secret).ok_or_else(|| SqlError::damaged("the refresh secret"))?;
        Ok(Some((known(session, used)?, Successor { token, note })))
    }

    async fn find_first(
        &self,
        token: &RefreshToken,
        secret: &[u8],
    ) -> Result<Option<(Known, Successor)>, SqlError> {
        let derived = Member::after_first(token, secret).zip(token.successor_before(secret));
        let (member, before) = derived.ok_or_else(|| SqlError::damaged("the refresh secret"))?;
        // `n`: its successor, when a version before gave it one.
        let statement = format!(
            "SELECT {SESSION}, t.used_at, f.generation, n.digest AS successor, n.used_at AS successor_used_at
             FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
             LEFT JOIN refresh_families f ON f.digest = $1
             LEFT JOIN refresh_tokens n ON n.digest = $2 WHERE t.digest = $3"
        );
        let parameters = [member.digest().into(), before.digest().into(), token.digest().into()];
        let found: Option<OfFirst> = self.sql.first(&statement, &parameters).await?;
        let Some(found) = found else { return Ok(None) };
        let successor_used = found.generation.is_some_and(|newest| newest > member.generation)
            || found.successor_used_at.is_some();
        let used = match found.used_at {
            _ if successor_used => Used::WithSuccessor,
            Some(used_at) => Used::At(used_at),
            None => Used::Not,
        };
        let successor = if found.successor.is_some() {
            Successor { token: before, note: Note::Nothing }
        } else {
            let note = Note::Begin { first: token.digest(), family: member.digest() };
            let token = member.token(secret).ok_or_else(|| SqlError::damaged("the refresh secret"))?;
            Successor { token, note }
        };
        Ok(Some((known(found.session, used)?, successor)))
    }

    /// Notes that a token's successor is given out, and gives it: a crash before leaves the token as it was, and the
    /// client that asks again gets the same successor.
    pub async fn rotate(
        &self,
        successor: Successor,
        session: &str,
        now: UnixMillis,
    ) -> Result<RefreshToken, SqlError> {
        match successor.note {
            Note::Nothing => {}
            Note::Begin { first, family } => {
                let statement = "INSERT INTO refresh_families (digest, session_id, generation, rotated_at)
                    SELECT $1, $2, 1, CAST($3 AS BIGINT)
                    WHERE EXISTS (SELECT 1 FROM sessions WHERE id = $2 AND ended_at IS NULL)
                    ON CONFLICT (digest) DO NOTHING";
                self.sql.query(statement, &[family.into(), session.into(), now.into()]).await?;
                let statement =
                    "UPDATE refresh_tokens SET used_at = $1 WHERE digest = $2 AND used_at IS NULL";
                self.sql.query(statement, &[now.into(), first.into()]).await?;
            }
            Note::Advance { family, generation } => {
                let statement = "UPDATE refresh_families SET generation = generation + 1, rotated_at = $1
                    WHERE digest = $2 AND generation = $3";
                self.sql.query(statement, &[now.into(), family.into(), generation.into()]).await?;
            }
        }
        Ok(successor.token)
    }
}

/// A token's session, from the columns [`SESSION`].
struct Session {
    id: String,
    account_id: i64,
    shape: String,
    expires_at: UnixMillis,
    ended_at: Option<UnixMillis>,
}

/// What is known of the family that a token is a member of.
struct OfFamily {
    session: Session,
    generation: i64,
    rotated_at: UnixMillis,
}

/// What is known of the first token of a session, and of its successors.
struct OfFirst {
    session: Session,
    used_at: Option<UnixMillis>,
    generation: Option<i64>,
    successor: Option<String>,
    successor_used_at: Option<UnixMillis>,
}

impl Session {
    fn take(row: &mut Row) -> Option<Self> {
        Some(Self {
            id: row.take("id")?,
            account_id: row.take("account_id")?,
            shape: row.take("shape")?,
            expires_at: row.take("expires_at")?,
            ended_at: row.take("ended_at")?,
        })
    }
}

impl FromRow for OfFamily {
    fn from_row(mut row: Row) -> Option<Self> {
        let session = Session::take(&mut row)?;
        Some(Self { session, generation: row.take("generation")?, rotated_at: row.take("rotated_at")? })
    }
}

impl FromRow for OfFirst {
    fn from_row(mut row: Row) -> Option<Self> {
        Some(Self {
            session: Session::take(&mut row)?,
            used_at: row.take("used_at")?,
            generation: row.take("generation")?,
            successor: row.take("successor")?,
            successor_used_at: row.take("successor_used_at")?,
        })
    }
}

fn known(session: Session, used: Used) -> Result<Known, SqlError> {
    let Session { id: session, account_id: account, shape, expires_at, ended_at } = session;
    let shape = Shape::named(&shape).ok_or_else(|| SqlError::damaged("a row of `sessions`"))?;
    Ok(Known { session, account, shape, expires_at, ended_at, used })
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
            used: Used::Not,
        }
    }

    #[test]
    fn a_successor_is_always_the_same_and_needs_the_secret() {
        let first = RefreshToken::generate(&FakeEntropy::default());
        assert_eq!(first.reveal().len(), 43);
        let after = |secret: &[u8]| Member::after_first(&first, secret).unwrap().token(secret).unwrap();
        let second = after(b"secret");
        assert!(after(b"secret") == second && after(b"other") != second);
        assert!(second.reveal().len() <= MAX_BYTES);
        let third = |secret: &[u8]| Member::read(&second, secret).and_then(|it| it.next().token(secret));
        assert!(third(b"secret") == third(b"secret") && third(b"secret").is_some_and(|it| it != second));
        assert!(third(b"other").is_none(), "a code of another secret is none");
    }

    #[test]
    fn a_token_that_was_changed_is_none() {
        let first = RefreshToken::generate(&FakeEntropy::default());
        let second = Member::after_first(&first, b"secret").unwrap().token(b"secret").unwrap();
        for place in 0..second.0.len() {
            let mut changed = second.0.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = RefreshToken(String::from_utf8(changed).unwrap());
            assert!(Member::read(&changed, b"secret").is_none(), "{place}");
        }
        assert!(Member::read(&first, b"secret").is_none());
        assert!(Member::read(&RefreshToken("\u{e9}".into()), b"secret").is_none());
    }

    #[test]
    fn a_used_token_is_accepted_again_only_in_grace_and_only_while_its_successor_is_unused() {
        assert_eq!(decide(&known(), NOW), Decision::Rotate);
        let used = Known { used: Used::At(NOW), ..known() };
        assert_eq!(decide(&used, NOW + GRACE), Decision::Rotate);
        assert_eq!(decide(&used, NOW + GRACE + Duration::from_millis(1)), Decision::EndSession);
        let moved_on = Known { used: Used::WithSuccessor, ..used };
        assert_eq!(decide(&moved_on, NOW), Decision::EndSession);
    }

    #[test]
    fn no_token_of_a_session_that_is_over_is_accepted() {
        assert_eq!(decide(&Known { ended_at: Some(NOW), ..known() }, NOW), Decision::Refuse);
        assert_eq!(decide(&known(), NOW + Duration::from_secs(60)), Decision::Refuse);
    }
}
