//! A key two components of this application share, made on first use.
//!
//! There is no default password and no start-up hook, so the first component that needs the key makes it.
//! The store has no compare-and-swap: everybody who finds no key draws a ticket with `increment` and puts a
//! candidate under it. Callers use the lowest candidate they see; the called side accepts every candidate
//! there is. So whatever a caller read from the store is accepted, in any interleaving and after any crash.

use octo_core::{Entropy, KeyValue, StoreError};
use subtle::ConstantTimeEq;

/// More instances than this never race on one first request; a candidate beyond is not looked for.
const MAX_TICKETS: i64 = 16;

/// The key that callers of the component `callee` send.
#[derive(Debug)]
pub struct ServiceKey<'a, K> {
    store: &'a K,
    callee: &'static str,
}

impl<'a, K: KeyValue> ServiceKey<'a, K> {
    /// The key for calls to `callee`.
    pub fn new(store: &'a K, callee: &'static str) -> Self {
        Self { store, callee }
    }

    /// The key to send, made now if there is none.
    pub async fn obtain(&self, entropy: &impl Entropy) -> Result<String, StoreError> {
        // In the common case the first candidate has long been there.
        if let Some(key) = self.candidate(1).await? {
            return Ok(key);
        }
        if let Some(key) = self.candidates().await?.into_iter().next() {
            return Ok(key);
        }
        let ticket = self.store.increment(&self.tickets(), 1).await?;
        if ticket > MAX_TICKETS {
            return Err(StoreError(format!("no key for calls to {} could be made", self.callee)));
        }
        let key: String = entropy.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
        self.store.set(&self.name(ticket), key.as_bytes()).await?;
        Ok(key)
    }

    /// Whether `presented` is a key that callers may have read. Compares in constant time.
    pub async fn accepts(&self, presented: &str) -> Result<bool, StoreError> {
        let same = |key: &String| bool::from(key.as_bytes().ct_eq(presented.as_bytes()));
        if self.candidate(1).await?.as_ref().is_some_and(same) {
            return Ok(true);
        }
        Ok(self.candidates().await?.iter().any(same))
    }

    async fn candidates(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let tickets = self.store.increment(&self.tickets(), 0).await?.min(MAX_TICKETS);
        for ticket in 1..=tickets {
            found.extend(self.candidate(ticket).await?);
        }
        Ok(found)
    }

    async fn candidate(&self, ticket: i64) -> Result<Option<String>, StoreError> {
        let bytes = self.store.get(&self.name(ticket)).await?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    fn tickets(&self) -> String {
        format!("service-key/{}/tickets", self.callee)
    }

    fn name(&self, ticket: i64) -> String {
        format!("service-key/{}/{ticket}", self.callee)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::testing::{FakeEntropy, FakeKeyValue, ready};

    #[test]
    fn the_key_is_made_once_and_accepted() {
        let (store, entropy) = (FakeKeyValue::default(), FakeEntropy::default());
        let service = ServiceKey::new(&store, "paid-provider");
        assert!(!ready(service.accepts("")).unwrap());
        let key = ready(service.obtain(&entropy)).unwrap();
        assert_eq!(key.len(), 64);
        store.calls.set(0);
        assert_eq!(ready(service.obtain(&entropy)).unwrap(), key);
        assert!(ready(service.accepts(&key)).unwrap());
        assert_eq!(store.calls.get(), 2);
        assert!(!ready(service.accepts("else")).unwrap());
        assert!(!ready(ServiceKey::new(&store, "other").accepts(&key)).unwrap());
    }

    #[test]
    fn a_maker_that_crashed_between_ticket_and_candidate_holds_nobody_up() {
        let (store, entropy) = (FakeKeyValue::default(), FakeEntropy::default());
        let service = ServiceKey::new(&store, "paid-provider");
        ready(store.increment(&service.tickets(), 1)).unwrap();
        let made = ready(service.obtain(&entropy)).unwrap();
        assert_eq!(ready(service.obtain(&entropy)).unwrap(), made);
        // The slow maker wakes up: later callers use its candidate, and both are accepted.
        ready(store.set(&service.name(1), b"slow")).unwrap();
        assert_eq!(ready(service.obtain(&entropy)).unwrap(), "slow");
        assert!(ready(service.accepts("slow")).unwrap());
        assert!(ready(service.accepts(&made)).unwrap());
    }
}
