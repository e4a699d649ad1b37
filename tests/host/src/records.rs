//! What the components did outside themselves, for tests to look at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many outbound calls are kept; older ones are forgotten.
const KEPT_CALLS: usize = 100_000;

/// One outbound HTTP call of a component.
#[derive(Clone, Debug)]
pub struct OutboundCall {
    /// The id of the component that called.
    pub from_component: Arc<str>,
    /// The request's method.
    pub method: http::Method,
    /// The whole address.
    pub url: String,
    /// When the call began.
    pub started: Instant,
    /// When the head of the answer, or the failure, was there.
    pub finished: Instant,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an outbound call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer of this status.
    Status(u16),
    /// Without an answer, for this reason.
    Failed(String),
    /// The component stopped waiting.
    Abandoned,
}

/// How often each component used its stores, and how long it waited for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreCalls(BTreeMap<(Arc<str>, &'static str), Usage>);

/// The calls to one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    calls: u64,
    /// Of those that have ended.
    time: Duration,
}

/// A store call that has begun. Its time is taken when it is dropped.
#[must_use = "the call lasts as long as this value"]
pub(crate) struct StoreCall {
    records: Arc<Records>,
    key: (Arc<str>, &'static str),
    began: Instant,
}

/// The records of one host.
#[derive(Debug, Default)]
pub(crate) struct Records {
    outbound: Mutex<VecDeque<OutboundCall>>,
    store: Mutex<StoreCalls>,
    host: Mutex<HostCalls>,
}

/// How often the instances of each component went to the host for anything: HTTP, streams, clocks, variables, stores,
/// memory. On Spin each costs a span of its tracing at least, so their number tells what a request costs there.
pub type HostCalls = BTreeMap<Arc<str>, u64>;

/// A call that has begun. Dropped before its end, it is recorded as abandoned.
pub(crate) struct CallInProgress {
    records: Arc<Records>,
    call: Option<OutboundCall>,
}

impl Records {
    pub(crate) fn begin(
        self: &Arc<Self>,
        component: &Arc<str>,
        method: http::Method,
        url: String,
    ) -> CallInProgress {
        let now = Instant::now();
        CallInProgress {
            records: Arc::clone(self),
            call: Some(OutboundCall {
                from_component: Arc::clone(component),
                method,
                url,
                started: now,
                finished: now,
                outcome: Outcome::Abandoned,
            }),
        }
    }

    /// The calls that have ended, in the order they began.
    pub(crate) fn outbound(&self) -> Vec<OutboundCall> {
        let kept = self.outbound.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls: Vec<_> = kept.iter().cloned().collect();
        calls.sort_by_key(|call| call.started);
        calls
    }

    pub(crate) fn begin_store_call(
        self: &Arc<Self>,
        component: &Arc<str>,
        operation: &'static str,
    ) -> StoreCall {
        let key = (Arc::clone(component), operation);
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.0.entry(key.clone()).or_default().calls += 1;
        StoreCall { records: Arc::clone(self), key, began: Instant::now() }
    }

    pub(crate) fn store_calls(&self) -> StoreCalls {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count_host_calls(&self, component: &Arc<str>, calls: u64) {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        *host.entry(Arc::clone(component)).or_default() += calls;
    }

    pub(crate) fn host_calls(&self) -> HostCalls {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn clear(&self) {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.outbound.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.store.lock().unwrap_or_else(PoisonError::into_inner).0.clear();
    }
}

impl CallInProgress {
    pub(crate) fn end(mut self, outcome: Outcome) {
        if let Some(call) = &mut self.call {
            call.outcome = outcome;
        }
    }
}

impl Drop for CallInProgress {
    fn drop(&mut self) {
        let Some(mut call) = self.call.take() else {
            return;
        };
        call.finished = Instant::now();
        let mut calls = self.records.outbound.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() == KEPT_CALLS {
            calls.pop_front();
        }
        calls.push_back(call);
    }
}

impl Drop for StoreCall {
    fn drop(&mut self) {
        let mut store = self.records.store.lock().unwrap_or_else(PoisonError::into_inner);
        // Gone when the records were cleared meanwhile.
        if let Some(usage) = store.0.get_mut(&self.key) {
            usage.time += self.began.elapsed();
        }
    }
}

impl StoreCalls {
    /// All calls of all components.
    pub fn total(&self) -> u64 {
        self.0.values().map(|usage| usage.calls).sum()
    }

    /// All calls of one component.
    pub fn of(&self, component: &str) -> u64 {
        self.iter().filter(|(id, _, _)| *id == component).map(|(_, _, calls)| calls).sum()
    }

    /// The calls of one component to one operation, such as `key-value increment` or
    /// `sqlite execute` or `postgres query`.
    pub fn count(&self, component: &str, operation: &str) -> u64 {
        self.iter()
            .filter(|(id, kind, _)| *id == component && *kind == operation)
            .map(|(_, _, calls)| calls)
            .sum()
    }

    /// Component, operation and number of calls.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.0.iter().map(|((component, operation), usage)| (&**component, *operation, usage.calls))
    }

    /// Component, operation and how long its calls took in all, those excepted that have not ended.
    pub fn times(&self) -> impl Iterator<Item = (&str, &str, Duration)> {
        self.0.iter().map(|((component, operation), usage)| (&**component, *operation, usage.time))
    }
}
