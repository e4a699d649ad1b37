//! The public keys.

use octo_access::{keys::jwks, record::JWKS_KEY};
use octo_core::{Clock, Entropy, KeyValue, Sql, StoreError};
use serde_json::{Value, json};

use super::SignOn;
use crate::{Refusal, signing};

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// The JWK Set, from the database alone: anyone who asks has found none in the shared store, which may be
    /// away.
    pub async fn keys(&self) -> Result<Value, Refusal> {
        let keys = signing::load(&self.sql, &self.config.keys, self.clock.now()).await?;
        Ok(jwks(&keys.public))
    }

    /// Makes the key that will sign after [`signing::LEAD`], and publishes it.
    pub async fn replace_key_as(&self, actor: i64) -> Result<Value, Refusal> {
        self.note(actor, 0, "replace-signing-key", &json!({})).await?;
        signing::replace(&self.sql, self.clock.now()).await?;
        let set = self.keys().await?;
        self.publish(&set).await?;
        Ok(set)
    }

    /// Puts the JWK Set into the shared store, where everybody looks for it first.
    pub async fn publish(&self, set: &Value) -> Result<(), StoreError> {
        let text = set.to_string();
        if self.store.get(JWKS_KEY).await?.as_deref() != Some(text.as_bytes()) {
            self.store.set(JWKS_KEY, text.as_bytes()).await?;
        }
        Ok(())
    }
}
