//! How many messages of one sender wait for one window.
//!
//! In the key-value form a message that waits books a slot of the next window. Whether its client is still there
//! cannot be known: no platform tells a component that the connection it will answer on is gone. So a sender whose
//! clients leave could book a whole window for nobody. A quarter of it is what one sender gets, and one slot at least.
//!
//! The store has no expiry: a record names the last window that a sender waited for, and who waits for another removes
//! that one's counter.

use octo_core::{KeyValue, StoreError, UnixMillis};

/// The part of a window's slots that one sender may book: one in so many.
const ONE_IN: i64 = 4;

/// Takes a place among the messages of `user` that wait for the window which begins at `begins_at` and takes `calls`
/// calls; false when there is none.
pub(crate) async fn take_place(
    store: &impl KeyValue,
    user: &str,
    begins_at: UnixMillis,
    calls: i64,
) -> Result<bool, StoreError> {
    let record = format!("gateway/waiting/{user}");
    let counter = |window: &str| format!("gateway/waiting/{user}/{window}");
    let window = begins_at.0.to_string();
    let last = store.get(&record).await?.and_then(|bytes| String::from_utf8(bytes).ok());
    if last.as_ref() != Some(&window) {
        store.set(&record, window.as_bytes()).await?;
        if let Some(last) = last {
            store.delete(&counter(&last)).await?;
        }
    }
    Ok(store.increment(&counter(&window), 1).await? <= (calls / ONE_IN).max(1))
}

#[cfg(test)]
mod tests {
    use octo_core::testing::{FakeKeyValue, ready};

    use super::*;

    #[test]
    fn a_sender_gets_a_quarter_of_a_window_and_leaves_two_keys_behind() {
        let store = FakeKeyValue::default();
        for (calls, places) in [(1, 1), (5, 1), (8, 2), (100, 25)] {
            let window = UnixMillis(calls);
            let taken = (0..40).filter(|_| ready(take_place(&store, "u", window, calls)).unwrap()).count();
            assert_eq!(taken, places, "{calls} calls");
            assert!(
                ready(take_place(&store, "v", window, calls)).unwrap(),
                "another has places of their own"
            );
            assert_eq!(store.keys().len(), 4, "{:?}", store.keys());
        }
    }
}
