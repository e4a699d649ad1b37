//! The keys of `auth`: made on first start and replaced from time to time, or given by the operator.
//!
//! # Invariant
//! A key is published for [`LEAD`] before it signs, unless it is the first, and for as long as a token it signed may
//! live. So anyone who verifies with keys he fetched less than [`LEAD`] ago refuses no good token, and a change of
//! keys is noticed by nobody.

use std::time::Duration;

use octo_access::SigningKey;
use octo_core::{Entropy, Sql, SqlError, UnixMillis};
use serde_json::Value;

use crate::sessions::LONGEST_TOKEN;

/// How long a key is published before it signs.
pub const LEAD: Duration = Duration::from_secs(3600);
/// How far the clocks of two instances may disagree.
const SKEW: Duration = Duration::from_secs(60);

/// What the operator says of keys.
#[derive(Clone)]
pub struct KeyPolicy {
    /// The operator's own signing key.
    pub given: Option<SigningKey>,
    /// A key of the operator's that is published and does not sign: the next one, or the last one.
    pub published: Option<SigningKey>,
    /// How long a key of our own making is used; `None` for ever.
    pub lifetime: Option<Duration>,
}

/// The key that signs, and the public keys that tokens may be verified with.
pub struct Keys {
    /// Signs new tokens.
    pub signing: SigningKey,
    /// Published: the signing key's public half first.
    pub public: Vec<Value>,
}

/// A key in the database.
struct Kept {
    generation: i64,
    key: SigningKey,
    made_at: UnixMillis,
}

/// Loads the keys, and makes one when there is none or the newest is old. The operator's key signs when there is
/// one; the keys in the database stay published beside it, so that tokens signed before the change are accepted until
/// they expire.
pub async fn load(sql: &impl Sql, policy: &KeyPolicy, now: UnixMillis) -> Result<Keys, SqlError> {
    let mut kept = read(sql).await?;
    let newest = kept.first().map(|newest| (newest.generation, newest.made_at));
    let due = match (newest, policy.lifetime) {
        (None, _) => true,
        (Some((_, made_at)), Some(lifetime)) => policy.given.is_none() && made_at + lifetime <= now,
        (Some(_), None) => false,
    };
    if due {
        make(sql, newest.map_or(1, |(generation, _)| generation + 1), now).await?;
        kept = read(sql).await?;
    }
    let damaged = || SqlError::damaged("the signing key");
    // Before the first key is old enough, it signs all the same.
    let signer = kept.iter().position(|kept| kept.made_at + LEAD <= now);
    let signer = signer.or(kept.len().checked_sub(1)).ok_or_else(damaged)?;
    let mut public: Vec<Value> =
        [&policy.given, &policy.published].into_iter().flatten().map(SigningKey::public_jwk).collect();
    let signing = kept.get(signer).ok_or_else(damaged)?;
    public.push(signing.key.public_jwk());
    for (index, other) in kept.iter().enumerate().filter(|(index, _)| *index != signer) {
        // The next newer one took its place when it began to sign.
        let replaced_at =
            index.checked_sub(1).and_then(|newer| kept.get(newer)).map(|newer| newer.made_at + LEAD);
        match replaced_at {
            Some(replaced_at) if replaced_at + LONGEST_TOKEN + SKEW < now => {
                forget(sql, other.generation).await?
            }
            _ => public.push(other.key.public_jwk()),
        }
    }
    let signing = policy.given.clone().unwrap_or_else(|| signing.key.clone());
    Ok(Keys { signing, public })
}

/// Makes the next key now, for instance because the one in use may be known to others.
pub async fn replace(sql: &impl Sql, now: UnixMillis) -> Result<(), SqlError> {
    let newest = read(sql).await?.first().map_or(0, |newest| newest.generation);
    make(sql, newest + 1, now).await
}

/// The keys in the database, newest first.
async fn read(sql: &impl Sql) -> Result<Vec<Kept>, SqlError> {
    let statement = "SELECT generation, secret, made_at FROM signing_keys ORDER BY generation DESC";
    let rows: Vec<(i64, Vec<u8>, UnixMillis)> = sql.fetch(statement, &[]).await?;
    let kept = rows.into_iter().map(|(generation, secret, made_at)| {
        let key = SigningKey::from_bytes(&secret).map_err(|_| SqlError::damaged("a signing key"))?;
        Ok(Kept { generation, key, made_at })
    });
    kept.collect()
}

/// Makes the key of a generation. Its primary key decides between instances that do so at once; everybody uses what
/// is read afterwards.
async fn make(sql: &impl Sql, generation: i64, now: UnixMillis) -> Result<(), SqlError> {
    let statement = "INSERT INTO signing_keys (generation, secret, made_at) VALUES ($1, $2, $3)
        ON CONFLICT (generation) DO NOTHING";
    let secret = SigningKey::generate().to_bytes();
    sql.query(statement, &[generation.into(), secret.as_slice().into(), now.into()]).await.map(drop)
}

async fn forget(sql: &impl Sql, generation: i64) -> Result<(), SqlError> {
    sql.query("DELETE FROM signing_keys WHERE generation = $1", &[generation.into()]).await.map(drop)
}

/// The secret that successors of refresh tokens are derived with, made now if there is none.
pub async fn refresh_secret(sql: &impl Sql, entropy: &impl Entropy) -> Result<Vec<u8>, SqlError> {
    const READ: &str = "SELECT value FROM secrets WHERE name = 'refresh'";
    let kept: Option<(Vec<u8>,)> = sql.first(READ, &[]).await?;
    if let Some((secret,)) = kept {
        return Ok(secret);
    }
    let statement = "INSERT INTO secrets (name, value) VALUES ('refresh', $1) ON CONFLICT (name) DO NOTHING";
    sql.query(statement, &[entropy.bytes::<32>().as_slice().into()]).await?;
    // Another instance may have been first.
    let kept: Option<(Vec<u8>,)> = sql.first(READ, &[]).await?;
    kept.map(|(secret,)| secret).ok_or_else(|| SqlError::damaged("the refresh secret"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_on::TABLES;
    use octo_core::sql::Migrated;
    use octo_core::testing::ready;
    use octo_databases::on_both;

    const START: UnixMillis = UnixMillis(1_800_000_000_000);
    const LIFETIME: Duration = Duration::from_secs(24 * 3600);

    fn ids(keys: &Keys) -> Vec<&str> {
        keys.public.iter().map(|jwk| jwk["kid"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_after() {
        on_both(|shared| {
            let sql = shared.connect();
            let sql = Migrated::new(&sql, TABLES);
            let policy = KeyPolicy { given: None, published: None, lifetime: Some(LIFETIME) };
            let at = |time: Duration| ready(load(&sql, &policy, START + time)).unwrap();
            let first = at(Duration::ZERO);
            let id = first.signing.id();
            assert_eq!(ids(&first), [&id]);
            assert_eq!(at(LIFETIME - Duration::from_millis(1)).signing.id(), id);

            let both = at(LIFETIME);
            assert_eq!((both.signing.id(), both.public.len()), (id.clone(), 2));
            let next = ids(&both)[1].to_owned();
            let just_before = at(LIFETIME + LEAD - Duration::from_millis(1));
            assert_eq!(ids(&just_before), [&id, &next]);
            let changed = at(LIFETIME + LEAD);
            assert_eq!(ids(&changed), [&next, &id]);
            assert_eq!(changed.signing.id(), next);
            let last_token = at(LIFETIME + LEAD + LONGEST_TOKEN);
            assert_eq!(ids(&last_token), [&next, &id]);
            let over = at(LIFETIME + LEAD + LONGEST_TOKEN + SKEW + Duration::from_millis(1));
            assert_eq!(ids(&over), [&next]);
        });
    }

    #[test]
    fn a_key_that_was_never_replaced_is_used_on_however_old() {
        on_both(|shared| {
            let sql = shared.connect();
            let sql = Migrated::new(&sql, TABLES);
            let policy = KeyPolicy { given: None, published: None, lifetime: None };
            let first = ready(load(&sql, &policy, START)).unwrap().signing.id();
            let later = START + LIFETIME * 10_000;
            assert_eq!(ready(load(&sql, &policy, later)).unwrap().signing.id(), first);
            ready(replace(&sql, later)).unwrap();
            let both = ready(load(&sql, &policy, later)).unwrap();
            assert_eq!((both.signing.id(), both.public.len()), (first.clone(), 2));
            assert_ne!(ready(load(&sql, &policy, later + LEAD)).unwrap().signing.id(), first);
        });
    }

    #[test]
    fn the_operators_key_signs_and_another_is_published_beside_it() {
        on_both(|shared| {
            let sql = shared.connect();
            let sql = Migrated::new(&sql, TABLES);
            let (given, next) = (SigningKey::generate(), SigningKey::generate());
            let policy = KeyPolicy {
                given: Some(given.clone()),
                published: Some(next.clone()),
                lifetime: Some(LIFETIME),
            };
            let keys = ready(load(&sql, &policy, START)).unwrap();
            assert_eq!(keys.signing.id(), given.id());
            assert_eq!(ids(&keys)[..2], [given.id(), next.id()]);
            let later = ready(load(&sql, &policy, START + LIFETIME * 9)).unwrap();
            assert_eq!(ids(&later), ids(&keys), "ours is not replaced while it is not used");
        });
    }
}
