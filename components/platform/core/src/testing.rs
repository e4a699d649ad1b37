//! In-memory fakes of the ports, and a way to run a future that never waits.

pub mod interleave;
mod locked;

pub use locked::Locked;

use crate::async_trait;
use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    Clock, Entropy, HttpOut, KeyValue, SendError, Settings, StoreError, UnixMillis, ports::CallLimits,
};

/// Runs `future` to its end. The fakes never wait, so it ends at the first poll.
///
/// # Panics
/// When the future waits for something.
#[allow(clippy::panic)]
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a future over fakes must not wait"),
    }
}

/// A clock that stands still until told to move.
#[derive(Debug)]
pub struct FakeClock(Locked<UnixMillis>);

impl FakeClock {
    /// A clock standing at `now`.
    pub fn at(now: UnixMillis) -> Self {
        Self(Locked::new(now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.0.set(self.0.get() + duration);
    }

    /// Moves the clock to `now`.
    pub fn set(&self, now: UnixMillis) {
        self.0.set(now);
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> UnixMillis {
        self.0.get()
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// Predictable bytes, different at every call.
#[derive(Debug, Default)]
pub struct FakeEntropy(Locked<u64>);

impl Entropy for FakeEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            // A step of the splitmix64 generator.
            let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
            self.0.set(state);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            *byte = (mixed >> 56) as u8;
        }
    }
}

/// Variables from a table.
#[derive(Clone, Debug, Default)]
pub struct FakeSettings(pub HashMap<String, String>);

impl FakeSettings {
    /// The given variables.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// The same variables with one changed.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Settings for FakeSettings {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// A key-value store in memory that counts its calls and can be taken away.
#[derive(Debug, Default)]
pub struct FakeKeyValue {
    values: Locked<HashMap<String, Vec<u8>>>,
    /// How many calls were made.
    pub calls: Locked<usize>,
    /// While true every call fails.
    pub down: Locked<bool>,
}

impl FakeKeyValue {
    /// The keys present, sorted.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.values.borrow().keys().cloned().collect();
        keys.sort();
        keys
    }

    /// Forgets everything, as a flushed store does.
    pub fn flush(&self) {
        self.values.borrow_mut().clear();
    }

    fn call(&self) -> Result<(), StoreError> {
        self.calls.set(self.calls.get() + 1);
        if self.down.get() { Err(StoreError("taken away by the test".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl KeyValue for FakeKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.call()?;
        Ok(self.values.borrow().get(key).cloned())
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.call()?;
        self.values.borrow_mut().insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call()?;
        self.values.borrow_mut().remove(key);
        Ok(())
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        self.call()?;
        let mut values = self.values.borrow_mut();
        let old = match values.get(key) {
            None => 0,
            Some(bytes) => bytes
                .as_slice()
                .try_into()
                .map(i64::from_le_bytes)
                .map_err(|_| StoreError(format!("`{key}` is no counter")))?,
        };
        let new = old + delta;
        values.insert(key.to_owned(), new.to_le_bytes().to_vec());
        Ok(new)
    }
}

/// Outbound HTTP that answers from a queue and keeps what was asked.
#[derive(Debug, Default)]
pub struct FakeHttp {
    /// The answers to come, in order.
    pub answers: Locked<VecDeque<Result<http::Response<Vec<u8>>, SendError>>>,
    /// The requests seen.
    pub requests: Locked<Vec<http::Request<Vec<u8>>>>,
}

impl FakeHttp {
    /// Puts an answer at the end of the queue.
    pub fn will(self, answer: Result<http::Response<Vec<u8>>, SendError>) -> Self {
        self.answers.borrow_mut().push_back(answer);
        self
    }
}

#[async_trait]
impl HttpOut for FakeHttp {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        _limits: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        self.requests.borrow_mut().push(request);
        let unexpected = || Err(SendError::NotSent("the test expected no such call".into()));
        self.answers.borrow_mut().pop_front().unwrap_or_else(unexpected)
    }
}
