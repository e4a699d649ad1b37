//! The keys of `auth`: made on first start, kept in the database, or given by the operator.

use octo_core::{Entropy, Sql, SqlError};
use octo_token::SigningKey;
use serde_json::Value;

/// The key that signs, and the public keys that tokens may be verified with.
pub struct Keys {
    /// Signs new tokens.
    pub signing: SigningKey,
    /// Published: the signing key's public half first.
    pub public: Vec<Value>,
}

/// Loads the keys. The operator's key signs when there is one; the key in the database stays published
/// beside it, so that tokens signed before the change are accepted until they expire.
pub async fn load(sql: &impl Sql, given: Option<SigningKey>) -> Result<Keys, SqlError> {
    let kept = kept_key(sql).await?;
    Ok(match given {
        Some(signing) => {
            let public = vec![signing.public_jwk(), kept.public_jwk()];
            Keys { signing, public }
        }
        None => Keys { public: vec![kept.public_jwk()], signing: kept },
    })
}

/// The key in the database, made now if there is none. The slot's primary key decides between instances
/// that start at once; everybody uses what is read afterwards.
async fn kept_key(sql: &impl Sql) -> Result<SigningKey, SqlError> {
    const READ: &str = "SELECT secret FROM signing_keys WHERE generation = 1";
    let mut rows = sql.query(READ, &[]).await?;
    if rows.is_empty() {
        let statement =
            "INSERT INTO signing_keys (generation, secret, made_at) VALUES (1, $1, 0) ON CONFLICT (generation) DO NOTHING";
        sql.query(statement, &[SigningKey::generate().to_bytes().as_slice().into()]).await?;
        rows = sql.query(READ, &[]).await?;
    }
    let key = rows.first().and_then(|row| SigningKey::from_bytes(row.first()?.blob()?).ok());
    key.ok_or_else(|| SqlError::Failed("the signing key in the database cannot be read".into()))
}

/// The secret that successors of refresh tokens are derived with, made now if there is none.
pub async fn refresh_secret(sql: &impl Sql, entropy: &impl Entropy) -> Result<Vec<u8>, SqlError> {
    const READ: &str = "SELECT value FROM secrets WHERE name = 'refresh'";
    let mut rows = sql.query(READ, &[]).await?;
    if rows.is_empty() {
        let statement =
            "INSERT INTO secrets (name, value) VALUES ('refresh', $1) ON CONFLICT (name) DO NOTHING";
        sql.query(statement, &[entropy.bytes::<32>().as_slice().into()]).await?;
        rows = sql.query(READ, &[]).await?;
    }
    let secret = rows.first().and_then(|row| Some(row.first()?.blob()?.to_vec()));
    secret.ok_or_else(|| SqlError::Failed("the refresh secret in the database cannot be read".into()))
}
