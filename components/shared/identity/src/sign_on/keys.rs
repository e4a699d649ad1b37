//! The public keys.

use octo_core::{Clock, Entropy, KeyValue, Sql, StoreError};
use octo_token::{keys::jwks, record::JWKS_KEY};
use serde_json::Value;

use super::SignOn;
use crate::{Refusal, signing};

impl<S: Sql, K: KeyValue, C: Clock, E: Entropy> SignOn<'_, S, K, C, E> {
    /// The JWK Set, from the database alone: whoever asks has found none in the shared store, which may be
    /// away.
    pub async fn keys(&self) -> Result<Value, Refusal> {
        let keys = signing::load(&self.sql, self.config.signing_key.clone()).await?;
        Ok(jwks(&keys.public))
    }

    /// Puts the JWK Set into the shared store, where components look for it first.
    pub async fn publish_keys(&self) -> Result<(), Refusal> {
        Ok(self.publish(&self.keys().await?).await?)
    }

    pub(super) async fn publish(&self, set: &Value) -> Result<(), StoreError> {
        let text = set.to_string();
        if self.store.get(JWKS_KEY).await?.as_deref() != Some(text.as_bytes()) {
            self.store.set(JWKS_KEY, text.as_bytes()).await?;
        }
        Ok(())
    }
}
