//! What the store says of one key.

use octo_core::{KeyValue, StoreError, UnixMillis};
use serde::{Deserialize, Serialize};

use super::{Begun, Fingerprint, Refusal, StoredAnswer, key::Name, key_value::LEASE};

/// A claim, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claimed {
    /// The key.
    pub(super) name: Name,
    /// Its number among all claims: no two claims have the same, not even of one key.
    pub(super) number: i64,
    /// The request it is for.
    pub(super) fingerprint: Fingerprint,
    /// When it was made.
    pub(super) at: UnixMillis,
}

/// The claim on a key, and the answer once there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) claim: Claimed,
    answer: Option<StoredAnswer>,
}

impl Record {
    /// A claim that has no answer yet.
    pub(super) fn claimed(claim: Claimed) -> Self {
        Self { claim, answer: None }
    }

    /// A claim that was carried out.
    pub(super) fn answered(claim: Claimed, answer: StoredAnswer) -> Self {
        Self { claim, answer: Some(answer) }
    }

    /// What becomes of a repeat at `now`.
    pub(super) fn repeated(self, fingerprint: &Fingerprint, now: UnixMillis) -> Begun {
        match self.answer {
            _ if self.claim.fingerprint != *fingerprint => Begun::Refused(Refusal::Mismatch),
            Some(answer) => Begun::Replay(answer),
            None if now.since(self.claim.at) > LEASE => Begun::Refused(Refusal::Unknown),
            None => Begun::Refused(Refusal::InFlight),
        }
    }

    pub(super) async fn read(store: &impl KeyValue, name: &Name) -> Result<Option<Self>, StoreError> {
        get(store, &key(name)).await
    }

    pub(super) async fn write(&self, store: &impl KeyValue) -> Result<(), StoreError> {
        put(store, &key(&self.claim.name), self).await
    }

    pub(super) async fn delete(store: &impl KeyValue, name: &Name) -> Result<(), StoreError> {
        store.delete(&key(name)).await
    }
}

fn key(name: &Name) -> String {
    format!("idempotency/key/{name}/record")
}

/// The JSON value under `key`.
pub(super) async fn get<T: for<'de> Deserialize<'de>>(
    store: &impl KeyValue,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.get(key).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError(format!("`{key}`: {error}")))
}

/// Puts `value` under `key` as JSON.
pub(super) async fn put(store: &impl KeyValue, key: &str, value: &impl Serialize) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(value).map_err(|error| StoreError(error.to_string()))?;
    store.set(key, &bytes).await
}

#[cfg(test)]
mod tests {
    use octo_core::testing::{FakeKeyValue, ready};

    use super::*;
    use crate::{
        Response,
        idempotency::{IdempotencyKey, Scope},
    };

    #[test]
    fn a_record_is_read_as_it_was_written_whatever_the_body() {
        let store = FakeKeyValue::default();
        let headers = http::HeaderMap::from_iter([(
            http::HeaderName::from_static("idempotency-key"),
            http::HeaderValue::from_static("k"),
        )]);
        let key = IdempotencyKey::read(&headers).unwrap().unwrap();
        let name = Name::of(&key, Scope { caller: "u", route: "r" });
        let fingerprint = Fingerprint::of(&[b"request"]);
        let claim = Claimed { name: name.clone(), number: 7, fingerprint, at: UnixMillis(1) };
        assert_eq!(ready(Record::read(&store, &name)).unwrap(), None);
        for body in [&b""[..], b"\n", b"{}\n\xff\n"] {
            let answer = StoredAnswer::of(&Response::new(body.to_vec())).unwrap();
            let record = Record::answered(claim.clone(), answer);
            ready(record.write(&store)).unwrap();
            assert_eq!(ready(Record::read(&store, &name)).unwrap(), Some(record));
        }
        let record = Record::claimed(claim);
        ready(record.write(&store)).unwrap();
        assert_eq!(ready(Record::read(&store, &name)).unwrap(), Some(record));

        ready(store.set(&super::key(&name), b"nonsense")).unwrap();
        assert!(ready(Record::read(&store, &name)).is_err());
    }
}
