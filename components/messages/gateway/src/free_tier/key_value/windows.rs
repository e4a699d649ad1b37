//! The counters of each window, and what is kept of windows that are over.
//!
//! A window has a counter of the slots taken in it, and one for each kind of thing that came to pass in it.
//! What goes well is not counted twice: of the slots taken, those **spent** in vain are counted, and the
//! others were free calls. How many could be taken is noted with each window, for the limit changes: by the operator,
//! and by what is learned.
//!
//! The store has no expiry and is not listed: an **index** names the windows and kinds that have counters.
//! Who counts first under a name brings the index up to date, folds the windows that are over into the
//! record of the **past**, and removes their counters.
//!
//! # What the figures may lose
//! The past names the last window folded into it, so that a fold that crashes
//! halfway is not repeated. But two instances that change the index or the past at the same instant may lose
//! one of the changes, and with it a window's counts or its counters' removal. A call whose end was never
//! told counts as free, and a message in flight too; and in a window in which the limit changes some attempts in vain may
//! count as free, or some free calls beyond the lower limit not at all. The slots themselves depend on none of this: no counter
//! is removed before its window is over.

use std::time::Duration;

use octo_core::{KeyValue, StoreError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::view::View;
use crate::{
    free_tier::{WindowId, history::WINDOWS},
    stats::{Counts, Kind, MessageOutcome, Stats, WindowStats},
};

/// The windows of one length.
#[derive(Debug)]
pub(super) struct Windows<'a, K> {
    pub(super) store: &'a K,
    pub(super) period: Duration,
}

/// The names under which counters may stand.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    windows: Vec<WindowId>,
    kinds: Vec<usize>,
    /// What the windows take: it may change from one to the next, and what has been must stay as it was.
    #[serde(default)]
    bounds: Vec<Bound>,
}

/// How many slots of a window can have been given. Its counter may be higher: it has attempts in vain, too.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Bound {
    window: WindowId,
    /// The limit that was last seen in force.
    limit: i64,
    /// As many were given before that, under another limit.
    given: i64,
}

impl Bound {
    fn most(self) -> i64 {
        self.limit.max(self.given)
    }
}

/// What is kept of the windows that are over.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Past {
    /// The newest of them that is part of this.
    through: Option<WindowId>,
    total: Counts,
    /// The newest ones, newest first.
    windows: Vec<WindowStats>,
}

/// The number of the counter of slots that were taken and did not lead to a free result: after the kinds'.
const SPENT: usize = Kind::KINDS;

impl<K: KeyValue> Windows<'_, K> {
    fn key(&self, part: &str) -> String {
        // The length is part of the name: after a change of P the old counters mean other times.
        format!("gateway/free/{}/{part}", self.period.as_secs())
    }

    fn slots_key(&self, window: WindowId) -> String {
        self.key(&format!("window/{}", window.0))
    }

    fn kind_key(&self, window: WindowId, kind: usize) -> String {
        self.key(&format!("window/{}/{kind}", window.0))
    }

    /// Takes a slot; its number.
    pub(super) async fn take(&self, window: WindowId, view: &View) -> Result<i64, StoreError> {
        let number = self.store.increment(&self.slots_key(window), 1).await?;
        // With the last one the window is known to take as many.
        if number == 1 || number == view.limit {
            self.register(window, None, view).await?;
        }
        Ok(number)
    }

    /// Gives a slot back.
    pub(super) async fn give_back(&self, window: WindowId) -> Result<(), StoreError> {
        self.store.increment(&self.slots_key(window), -1).await.map(drop)
    }

    /// Whether no window in which something was counted is over yet.
    pub(super) async fn none_is_over(&self) -> Result<bool, StoreError> {
        Ok(self.record::<Past>("past").await?.through.is_none())
    }

    /// The slots taken.
    pub(super) async fn taken(&self, window: WindowId) -> Result<i64, StoreError> {
        self.value(&self.slots_key(window)).await
    }

    /// Counts something.
    pub(super) async fn count(&self, kind: Kind, view: &View) -> Result<(), StoreError> {
        self.increment(view.current(), kind.number(), view).await
    }

    /// Counts a slot that was taken and did not lead to a free result.
    pub(super) async fn spend(&self, window: WindowId, view: &View) -> Result<(), StoreError> {
        self.increment(window, SPENT, view).await
    }

    async fn increment(&self, window: WindowId, kind: usize, view: &View) -> Result<(), StoreError> {
        if self.store.increment(&self.kind_key(window, kind), 1).await? == 1 {
            self.register(window, Some(kind), view).await?;
        }
        Ok(())
    }

    /// A counter's value. Reading it with `increment` creates it, and nobody would remove one that was only
    /// looked at: hence the `get` first.
    async fn value(&self, key: &str) -> Result<i64, StoreError> {
        match self.store.get(key).await? {
            None => Ok(0),
            Some(_) => self.store.increment(key, 0).await,
        }
    }

    /// Brings the index up to date with a new name, and puts away the windows that are over.
    async fn register(&self, window: WindowId, kind: Option<usize>, view: &View) -> Result<(), StoreError> {
        let mut index: Index = self.record("index").await?;
        if !index.windows.contains(&window) {
            index.windows.push(window);
        }
        if let Some(kind) = kind.filter(|kind| !index.kinds.contains(kind)) {
            index.kinds.push(kind);
        }
        match index.bounds.iter_mut().find(|bound| bound.window == window) {
            None => index.bounds.push(Bound { window, limit: view.limit, given: 0 }),
            Some(bound) if bound.limit == view.limit => {}
            Some(bound) => {
                // The attempt that finds the limit changed is counted already.
                let given = (self.taken(window).await? - 1).clamp(0, bound.most());
                *bound = Bound { window, limit: view.limit, given };
            }
        }
        // Calls that began in the window before may still settle.
        let is_over = |window: &WindowId| window.0 < view.current().0 - 1;
        let mut over: Vec<_> = index.windows.iter().copied().filter(is_over).collect();
        over.sort_unstable();
        if !over.is_empty() {
            self.fold(&over, &index, view).await?;
            index.windows.retain(|window| !is_over(window));
            index.bounds.retain(|bound| !is_over(&bound.window));
        }
        self.write("index", &index).await
    }

    async fn fold(&self, over: &[WindowId], index: &Index, view: &View) -> Result<(), StoreError> {
        let mut past: Past = self.record("past").await?;
        let known = past.through;
        for &window in over.iter().filter(|window| known.is_none_or(|through| through < **window)) {
            let counts = self.counts(window, index, view).await?;
            past.through = Some(window);
            past.total.add_all(&counts);
            past.windows.insert(0, WindowStats { starts_at: view.start(window), counts });
        }
        past.windows.truncate(usize::try_from(WINDOWS).unwrap_or(usize::MAX));
        self.write("past", &past).await?;
        for &window in over {
            for &kind in &index.kinds {
                self.store.delete(&self.kind_key(window, kind)).await?;
            }
            self.store.delete(&self.slots_key(window)).await?;
        }
        Ok(())
    }

    /// What came to pass in a window, by its counters.
    async fn counts(&self, window: WindowId, index: &Index, view: &View) -> Result<Counts, StoreError> {
        let bound = index.bounds.iter().find(|bound| bound.window == window);
        let most = bound.map_or(view.limit, |bound| bound.most());
        let mut values = vec![0; SPENT + 1];
        for (kind, value) in values.iter_mut().enumerate().filter(|(kind, _)| index.kinds.contains(kind)) {
            *value = self.value(&self.kind_key(window, kind)).await?;
        }
        let mut counts = Counts::from_numbers(&values);
        let taken = self.taken(window).await?.min(most);
        let spent = values.last().copied().unwrap_or(0);
        counts.add(Kind::Outcome(MessageOutcome::Free), (taken - spent).max(0));
        // A perfect caller sends as many free as a window takes.
        counts.add(Kind::Oracle, (counts.free + counts.not_free() - most).max(0));
        Ok(counts)
    }

    /// What became of the messages so far.
    pub(super) async fn figures(&self, view: &View) -> Result<Stats, StoreError> {
        let index: Index = self.record("index").await?;
        let Past { through, mut total, windows: mut shown } = self.record("past").await?;
        let mut windows = index.windows.clone();
        windows.sort_unstable();
        for window in windows.into_iter().filter(|window| through.is_none_or(|through| through < *window)) {
            let counts = self.counts(window, &index, view).await?;
            total.add_all(&counts);
            shown.insert(0, WindowStats { starts_at: view.start(window), counts });
        }
        let oldest = view.now - self.period * u32::try_from(WINDOWS).unwrap_or(u32::MAX);
        shown.retain(|window| window.starts_at > oldest);
        Ok(Stats { windows: shown, total, waiting: 0 })
    }

    async fn record<T: Default + DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        match self.store.get(&self.key(name)).await? {
            None => Ok(T::default()),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| StoreError(format!("`{}` is no {name}: {error}", self.key(name)))),
        }
    }

    async fn write(&self, name: &str, record: &impl Serialize) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(record).map_err(|error| StoreError(error.to_string()))?;
        self.store.set(&self.key(name), &bytes).await
    }
}
