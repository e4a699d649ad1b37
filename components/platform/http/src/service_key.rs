//! A key two components of this application share, made on first use.
//!
//! There is no default password and no start-up hook, so anyone who needs the key and finds none makes one; and the store
//! has no compare-and-swap, so any number of instances may do so at once. Nobody waits for anybody and nothing is
//! claimed: each writes that its key is good, and only then that it is the one to use. The called side takes the key to
//! use, and every other that is good.
//!
//! # Invariant: whatever key a caller was given is accepted
//! A key is given to a caller, or written where others find it, only after it was written as good; and what is good is
//! never removed. So it does not matter how many make keys at once, in what order their writes arrive, or where one of
//! them is cut off: that leaves at most a key that nobody sends.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use octo_core::{Entropy, KeyValue, StoreError};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

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
        if let Some(key) = self.to_use().await? {
            return Ok(key);
        }
        let key: String = entropy.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
        self.store.set(&self.good(&key), b"good").await?;
        self.store.set(&self.name(), key.as_bytes()).await?;
        Ok(key)
    }

    /// Whether `presented` is a key that a caller was given. Compares in constant time.
    pub async fn accepts(&self, presented: &str) -> Result<bool, StoreError> {
        let same = |key: String| bool::from(key.as_bytes().ct_eq(presented.as_bytes()));
        // One read in the common case. Another key is good if it was made at the same time.
        Ok(self.to_use().await?.is_some_and(same) || self.store.get(&self.good(presented)).await?.is_some())
    }

    async fn to_use(&self) -> Result<Option<String>, StoreError> {
        let kept = self.store.get(&self.name()).await?;
        Ok(kept.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    fn name(&self) -> String {
        format!("service-key/{}", self.callee)
    }

    /// Where it is written that `key` is good: under its digest, so that looking there tells nothing of other keys.
    fn good(&self, key: &str) -> String {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(key.as_bytes()));
        format!("service-key/{}/{digest}", self.callee)
    }
}

#[cfg(test)]
mod tests {
    use octo_core::testing::Locked;
    use std::time::Duration;

    use super::*;
    use octo_core::{
        UnixMillis,
        testing::{
            FakeEntropy, FakeKeyValue,
            interleave::{Fate, Interleaving, Task, Turn},
            ready,
        },
    };
    use proptest::prelude::*;

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

    /// How many callers come to an empty store at once.
    const CALLERS: usize = 40;

    /// Callers at once, and how each of their store calls goes: every key that one of them was given is accepted, and
    /// the next caller is given one, however many were cut off.
    fn callers_at_once(turns: &[Turn]) -> Result<(), TestCaseError> {
        let world = Interleaving::at(UnixMillis(0));
        let (entropy, given) = (FakeEntropy::default(), Locked::new(Vec::new()));
        let caller = || -> Task<'_> {
            Box::pin(async {
                let service = ServiceKey::new(&world, "paid-provider");
                if let Ok(key) = service.obtain(&entropy).await {
                    given.borrow_mut().push(key.clone());
                    // As the called side sees it when the call arrives.
                    assert!(ready(ServiceKey::new(&world.store, "paid-provider").accepts(&key)).unwrap());
                }
            })
        };
        world.run((0..CALLERS).map(|_| caller()), turns);
        let service = ServiceKey::new(&world.store, "paid-provider");
        let key = ready(service.obtain(&entropy)).unwrap();
        prop_assert_eq!(ready(service.obtain(&entropy)).unwrap(), key.clone());
        for key in given.borrow().iter().chain([&key]) {
            prop_assert!(ready(service.accepts(key)).unwrap());
        }
        Ok(())
    }

    #[test]
    fn any_number_of_callers_find_none_at_once_and_each_is_given_a_key() {
        let all = |fate| (0..CALLERS).map(move |caller| Turn::Step(caller, fate));
        let turns: Vec<_> = all(Fate::Done).chain(all(Fate::Done)).chain(all(Fate::Done)).collect();
        callers_at_once(&turns).unwrap();
    }

    #[test]
    fn callers_that_are_all_cut_off_before_they_have_written_hold_nobody_up() {
        for steps in 1..=3 {
            let looked = (0..steps).flat_map(|_| (0..CALLERS).map(|caller| Turn::Step(caller, Fate::Done)));
            let turns: Vec<_> = looked.chain((0..CALLERS).map(Turn::Crash)).collect();
            callers_at_once(&turns).unwrap();
            let lost = (0..steps).flat_map(|_| (0..CALLERS).map(|caller| Turn::Step(caller, Fate::Late)));
            callers_at_once(&lost.collect::<Vec<_>>()).unwrap();
        }
    }

    fn a_turn() -> impl Strategy<Value = Turn> {
        let fate = prop_oneof![
            6 => Just(Fate::Done),
            1 => Just(Fate::Unsent),
            1 => Just(Fate::Unheard),
            1 => Just(Fate::Late),
        ];
        prop_oneof![
            12 => (0..CALLERS, fate).prop_map(|(caller, fate)| Turn::Step(caller, fate)),
            1 => (0..CALLERS).prop_map(Turn::Crash),
            1 => Just(Turn::Land),
            1 => Just(Turn::Wait(Duration::from_secs(1))),
        ]
    }

    proptest! {
        #[test]
        fn whatever_key_a_caller_was_given_is_accepted(turns in prop::collection::vec(a_turn(), 0..200)) {
            callers_at_once(&turns)?;
        }
    }
}
