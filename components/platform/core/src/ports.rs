//! The ports: everything a domain may ask of the outside, few and general.
//!
//! Methods are `async` even where Spin's WASI 0.2 interfaces block, so that a build on the asynchronous
//! WASI 0.3 interfaces changes only `octo-spin`.

use std::time::Duration;

use auto_impl::auto_impl;
use serde::{Deserialize, Serialize};

use crate::{Script, UnixMillis, async_trait};

/// The wall clock of this instance. Two instances may disagree by their clock skew.
#[async_trait]
#[auto_impl(&, Arc)]
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> UnixMillis;
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// Randomness fit for keys and tokens.
#[auto_impl(&, Arc)]
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// `N` random bytes.
    #[auto_impl(keep_default_for(&, Arc))]
    fn bytes<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The application's variables, by name.
#[auto_impl(&, Arc)]
pub trait Settings: Send + Sync {
    /// The text of variable `name`; `None` when this component is not given it.
    fn get(&self, name: &str) -> Option<String>;

    /// The same of one that stands by itself, where all others need not be read for it.
    fn alone(&self, name: &str) -> Option<String> {
        self.get(name)
    }
}

/// A store could not do what was asked: unreachable, full, or answering nonsense. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("the store failed: {0}")]
pub struct StoreError(pub String);

/// The key-value store shared by all instances.
///
/// Only [`increment`](KeyValue::increment) is atomic. `set` overwrites whatever another instance wrote;
/// compare-and-swap is left out on purpose (it is unsound on Spin's backends). A counter is read by
/// incrementing by zero, never with `get`: backends store counters in different forms.
#[async_trait]
#[auto_impl(&, Arc)]
pub trait KeyValue: Send + Sync {
    /// The value under `key`.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Puts `value` under `key`.
    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError>;
    /// Removes `key`; a missing key is no error.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;
    /// Adds `delta` to the counter under `key` (0 when missing) and returns the new value, atomically.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError>;
}

/// A Redis server shared by all instances.
#[async_trait]
#[auto_impl(&, Arc)]
pub trait Redis: Send + Sync {
    /// Runs `script`, which answers with whole numbers, in one round trip (two when the server has not seen
    /// it before). Not repeated after a failure: it may have run.
    async fn eval(&self, script: &Script, keys: &[String], args: &[String]) -> Result<Vec<i64>, StoreError>;
}

/// No Redis server, for a component that has none.
#[derive(Clone, Copy, Debug)]
pub enum NoRedis {}

#[async_trait]
impl Redis for NoRedis {
    async fn eval(&self, _: &Script, _: &[String], _: &[String]) -> Result<Vec<i64>, StoreError> {
        match *self {}
    }
}

/// No key-value store: it is away. For a component that must not wait for the one there is.
#[derive(Clone, Copy, Debug)]
pub struct NoKeyValue;

/// No outbound HTTP, for a component that calls nobody.
#[derive(Clone, Copy, Debug)]
pub struct NoHttp;

impl NoKeyValue {
    fn away<T>() -> Result<T, StoreError> {
        Err(StoreError("it is not asked".into()))
    }
}

#[async_trait]
impl KeyValue for NoKeyValue {
    async fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Self::away()
    }

    async fn set(&self, _: &str, _: &[u8]) -> Result<(), StoreError> {
        Self::away()
    }

    async fn delete(&self, _: &str) -> Result<(), StoreError> {
        Self::away()
    }

    async fn increment(&self, _: &str, _: i64) -> Result<i64, StoreError> {
        Self::away()
    }
}

#[async_trait]
impl HttpOut for NoHttp {
    async fn send(
        &self,
        _: http::Request<Vec<u8>>,
        _: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        Err(SendError::NotSent("this component calls nobody".into()))
    }
}

/// Why an outbound request got no answer. What matters to a counter is whether the other side may have
/// seen the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No byte was sent: refused connection, unknown host, forbidden destination. The call never happened.
    #[error("the request was never sent: {0}")]
    NotSent(String),
    /// No whole answer within the time allowed. The request may have been processed, or may still be.
    #[error("no answer in time")]
    TimedOut,
    /// The exchange broke off. The request may have been processed.
    #[error("the exchange broke off: {0}")]
    Broken(String),
    /// The answer exceeds the size allowed. The request was processed.
    #[error("the answer is too large")]
    TooLarge,
}

/// Bounds of one outbound call.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// From the first byte sent to the last byte received.
    pub timeout: Duration,
    /// Largest answer body accepted, in bytes.
    pub max_answer: usize,
}

/// Why a request whose answer comes in two steps got none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// No head came in the time allowed: nobody has taken the request up yet, or nobody will.
    #[error("nobody took the request up in time")]
    NotBegun,
    /// The exchange failed, in whichever step.
    #[error(transparent)]
    Failed(#[from] SendError),
}

/// Outbound HTTP.
#[async_trait]
#[auto_impl(&, Arc)]
pub trait HttpOut: Send + Sync {
    /// Sends `request` and reads the whole answer within `limits`. Never retries.
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limits: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, SendError>;

    /// The same for an answer in two steps: its head, which comes within `begin` and says that the other side is
    /// at work; then its body, between whose pieces there may be the time of `limits` (in all, `begin` in addition). So a machine that is too busy to begin is told from work
    /// that does not get on. A port that cannot tell them apart takes both for one.
    async fn send_in_steps(
        &self,
        request: http::Request<Vec<u8>>,
        _begin: Duration,
        limits: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, StepError> {
        Ok(self.send(request, limits).await?)
    }
}
