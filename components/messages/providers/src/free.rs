//! The free provider: N calls in each window aligned to the clock; one more, and it is closed for B.

use std::time::Duration;

use octo_core::{KeyValue, StoreError, UnixMillis, time::millis};
use serde::{Deserialize, Serialize};

use crate::call_log::{CallLog, Entry, is_kept};

/// What the free provider allows.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// N: calls per window.
    pub calls: i64,
    /// P: the window's length.
    pub window: Duration,
    /// B: how long it is closed after an overrun.
    pub block: Duration,
}

/// Whether a call is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Taken {
        /// Calls left in the window.
        left: i64,
        /// When the next window begins.
        resets_at: UnixMillis,
    },
    /// It is not, and none is until then.
    ClosedUntil(UnixMillis),
}

/// A window in the provider's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WindowTotals {
    /// When it began, in milliseconds since the epoch.
    pub starts_at: UnixMillis,
    /// Calls taken.
    pub taken: i64,
    /// Calls refused because the window was full. Calls refused during a block are not among them.
    pub overrun: i64,
}

/// What the provider took and refused.
#[derive(Debug, Serialize)]
pub struct Books {
    /// The latest windows with calls, newest first.
    pub windows: Vec<WindowTotals>,
    /// Calls taken in these windows.
    pub taken_total: i64,
    /// All calls ever refused, overrun or during a block.
    pub refused_total: i64,
    /// The latest calls taken, newest first.
    pub taken: Vec<Entry>,
    /// The latest calls refused, newest first.
    pub refused: Vec<Entry>,
}

/// Windows kept in the books.
const KEPT_WINDOWS: usize = 120;
const CLOSED_KEY: &str = "free-provider/closed-until";
const WINDOWS_KEY: &str = "free-provider/windows";

#[derive(Serialize, Deserialize, Default)]
struct WindowList(Vec<i64>);

/// The free provider over its store.
#[derive(Debug)]
pub struct FreeProvider<'a, K> {
    store: &'a K,
    terms: Terms,
}

impl<'a, K: KeyValue> FreeProvider<'a, K> {
    /// A provider with these terms.
    pub fn new(store: &'a K, terms: Terms) -> Self {
        Self { store, terms }
    }

    /// Takes or refuses the call `id` that arrives at `now`, and writes it into the books.
    ///
    /// Invariant: of all calls in one window at most N are taken, whatever the number of instances: the
    /// window's counter is incremented before a call is taken, and numbers above N are refused.
    pub async fn admit(&self, id: &str, now: UnixMillis) -> Result<Admission, StoreError> {
        if let Some(until) = self.closed_until().await?
            && until > now
        {
            self.refused_log().add(id, now).await?;
            return Ok(Admission::ClosedUntil(until));
        }
        let start = self.window_start(now);
        let number = self.store.increment(&self.window_key(start), 1).await?;
        if number == 1 {
            self.open_window(start).await?;
        }
        if number > self.terms.calls {
            let until = now + self.terms.block;
            self.store.set(CLOSED_KEY, until.0.to_string().as_bytes()).await?;
            self.refused_log().add(id, now).await?;
            return Ok(Admission::ClosedUntil(until));
        }
        if is_kept(number) {
            self.taken_log().add_numbered(self.serial(start, number), id, now).await?;
        }
        Ok(Admission::Taken {
            left: self.terms.calls - number,
            resets_at: UnixMillis(start) + self.terms.window,
        })
    }

    /// The books, with at most `limit` calls of each kind one by one.
    pub async fn books(&self, limit: i64) -> Result<Books, StoreError> {
        let (mut windows, mut entries) = (Vec::new(), Vec::new());
        for start in self.window_list().await?.0.into_iter().rev() {
            let calls = self.store.increment(&self.window_key(start), 0).await?;
            let taken = calls.min(self.terms.calls);
            let wanted = limit.saturating_sub(entries.len() as i64).max(0) as usize;
            for number in (1..=taken).rev().filter(|number| is_kept(*number)).take(wanted) {
                entries.extend(self.taken_log().entry(self.serial(start, number)).await?);
            }
            windows.push(WindowTotals { starts_at: UnixMillis(start), taken, overrun: calls - taken });
        }
        Ok(Books {
            taken_total: windows.iter().map(|window| window.taken).sum(),
            windows,
            refused_total: self.refused_log().total().await?,
            taken: entries,
            refused: self.refused_log().latest(limit).await?,
        })
    }

    /// A call's number over all windows, made from its window and its number there, so that counting the
    /// window is the only count a call needs.
    fn serial(&self, start: i64, number: i64) -> i64 {
        let window = start.div_euclid(millis(self.terms.window).max(1));
        window.wrapping_mul(self.terms.calls).wrapping_add(number)
    }

    async fn closed_until(&self) -> Result<Option<UnixMillis>, StoreError> {
        let bytes = self.store.get(CLOSED_KEY).await?;
        Ok(bytes.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse().ok()).map(UnixMillis))
    }

    async fn window_list(&self) -> Result<WindowList, StoreError> {
        let bytes = self.store.get(WINDOWS_KEY).await?.unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Enters a new window into the books and drops the oldest. Only a window's first call comes here.
    async fn open_window(&self, start: i64) -> Result<(), StoreError> {
        let mut list = self.window_list().await?;
        list.0.push(start);
        let excess = list.0.len().saturating_sub(KEPT_WINDOWS);
        for old in list.0.drain(..excess) {
            self.store.delete(&self.window_key(old)).await?;
        }
        let bytes = serde_json::to_vec(&list).map_err(|error| StoreError(error.to_string()))?;
        self.store.set(WINDOWS_KEY, &bytes).await
    }

    fn window_start(&self, now: UnixMillis) -> i64 {
        now.0 - now.0.rem_euclid(millis(self.terms.window).max(1))
    }

    fn window_key(&self, start: i64) -> String {
        format!("free-provider/window/{start}")
    }

    fn taken_log(&self) -> CallLog<'a, K> {
        CallLog::new(self.store, "free-provider/taken")
    }

    fn refused_log(&self) -> CallLog<'a, K> {
        CallLog::new(self.store, "free-provider/refused")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::testing::{FakeKeyValue, ready};

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: UnixMillis = UnixMillis(1_800_000_030_000);

    fn provider(store: &FakeKeyValue) -> FreeProvider<'_, FakeKeyValue> {
        FreeProvider::new(store, Terms { calls: 3, window: 60 * SECOND, block: 90 * SECOND })
    }

    fn admit(store: &FakeKeyValue, now: UnixMillis) -> Admission {
        ready(provider(store).admit("m", now)).unwrap()
    }

    #[test]
    fn n_calls_are_taken_and_one_more_closes_it_for_b() {
        let store = FakeKeyValue::default();
        for _ in 0..3 {
            assert!(matches!(admit(&store, NOW), Admission::Taken { .. }));
        }
        let until = NOW + 90 * SECOND;
        assert_eq!(admit(&store, NOW), Admission::ClosedUntil(until));
        assert_eq!(
            admit(&store, NOW + 40 * SECOND),
            Admission::ClosedUntil(until),
            "a new window, still closed"
        );
        let resets_at = UnixMillis(1_800_000_180_000);
        assert_eq!(admit(&store, until), Admission::Taken { left: 2, resets_at });
    }

    #[test]
    fn the_books_tell_what_was_taken_and_refused() {
        let store = FakeKeyValue::default();
        for _ in 0..5 {
            admit(&store, NOW);
        }
        let books = ready(provider(&store).books(2)).unwrap();
        let totals = WindowTotals { starts_at: UnixMillis(1_800_000_000_000), taken: 3, overrun: 1 };
        assert_eq!(books.windows, [totals]);
        assert_eq!((books.taken_total, books.refused_total), (3, 2));
        assert_eq!(books.taken.len(), 2);
        assert_eq!(books.taken[0].number, books.taken[1].number + 1, "newest first");
    }

    #[test]
    fn many_calls_are_counted_and_a_few_of_them_written_down() {
        let store = FakeKeyValue::default();
        let provider = FreeProvider::new(&store, Terms { calls: 5_000, window: 60 * SECOND, block: SECOND });
        for _ in 0..1_250 {
            ready(provider.admit("m", NOW)).unwrap();
        }
        let books = ready(provider.books(4)).unwrap();
        assert_eq!(books.taken_total, 1_250);
        let numbers: Vec<i64> =
            books.taken.iter().map(|entry| books.taken[0].number - entry.number).collect();
        assert_eq!(numbers, [0, 100, 200, 201], "1200, 1100, 1000, 999");
        store.calls.set(0);
        ready(provider.admit("m", NOW)).unwrap();
        assert_eq!(store.calls.get(), 2);
    }

    #[test]
    fn the_books_do_not_grow_for_ever() {
        let store = FakeKeyValue::default();
        for minute in 0..400 {
            admit(&store, NOW + minute * 60 * SECOND);
        }
        let windows = store.keys().iter().filter(|key| key.starts_with("free-provider/window/")).count();
        assert_eq!(windows, KEPT_WINDOWS);
    }
}
