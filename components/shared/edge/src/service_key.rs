//! The credential between the router and the paid provider, when the operator sets none.
//!
//! There is no default password and no start-up hook, so the first component that needs the credential
//! makes it. The store has no compare-and-swap: everybody who finds none draws a ticket with `increment`
//! and puts a candidate under it. Callers use the lowest candidate they see; the provider accepts every
//! candidate there is. So whatever a caller read from the store is accepted, in any interleaving and after
//! any crash.

use octo_core::{Entropy, KeyValue, StoreError};

const TICKETS: &str = "paid-provider/credential/tickets";
/// More instances than this never race on one first request; a candidate beyond is not looked for.
const MAX_TICKETS: i64 = 16;

fn key(ticket: i64) -> String {
    format!("paid-provider/credential/{ticket}")
}

/// Every candidate there is, lowest ticket first.
pub async fn candidates(store: &impl KeyValue) -> Result<Vec<String>, StoreError> {
    // In the common case the first candidate was there all along.
    let mut found = Vec::new();
    let tickets = store.increment(TICKETS, 0).await?.min(MAX_TICKETS);
    for ticket in 1..=tickets {
        if let Some(bytes) = store.get(&key(ticket)).await? {
            found.extend(String::from_utf8(bytes));
        }
    }
    Ok(found)
}

/// The credential to send, made now if there is none.
pub async fn obtain(store: &impl KeyValue, entropy: &impl Entropy) -> Result<String, StoreError> {
    if let Some(bytes) = store.get(&key(1)).await?
        && let Ok(credential) = String::from_utf8(bytes)
    {
        return Ok(credential);
    }
    if let Some(credential) = candidates(store).await?.into_iter().next() {
        return Ok(credential);
    }
    let ticket = store.increment(TICKETS, 1).await?;
    if ticket > MAX_TICKETS {
        return Err(StoreError("no credential for the paid provider could be made".into()));
    }
    let credential: String = entropy.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
    store.set(&key(ticket), credential.as_bytes()).await?;
    Ok(credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::testing::{FakeEntropy, FakeKeyValue, ready};

    #[test]
    fn the_credential_is_made_once_and_kept() {
        let (store, entropy) = (FakeKeyValue::default(), FakeEntropy::default());
        let first = ready(obtain(&store, &entropy)).unwrap();
        assert_eq!(first.len(), 64);
        store.calls.set(0);
        assert_eq!(ready(obtain(&store, &entropy)).unwrap(), first);
        assert_eq!(store.calls.get(), 1);
        assert_eq!(ready(candidates(&store)).unwrap(), [first]);
    }

    #[test]
    fn a_maker_that_crashed_between_ticket_and_candidate_holds_nobody_up() {
        let (store, entropy) = (FakeKeyValue::default(), FakeEntropy::default());
        ready(store.increment(TICKETS, 1)).unwrap();
        let made = ready(obtain(&store, &entropy)).unwrap();
        assert_eq!(ready(obtain(&store, &entropy)).unwrap(), made);
        // The slow maker wakes up: later callers use its candidate, and both are accepted.
        ready(store.set(&key(1), b"slow")).unwrap();
        assert_eq!(ready(obtain(&store, &entropy)).unwrap(), "slow");
        assert_eq!(ready(candidates(&store)).unwrap(), ["slow".to_owned(), made]);
    }
}
