//! The ports of a domain that runs in this process, on connections that block.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use octo_core::{Clock, Entropy, UnixMillis, async_trait};

pub(crate) struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(octo_core::time::millis(since))
    }

    async fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// Nothing here is left to chance.
pub(crate) struct NoChance;

impl Entropy for NoChance {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// The result of a future over a connection that blocks.
pub(crate) fn ready<T, E: Into<anyhow::Error>>(
    future: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.map_err(Into::into),
        Poll::Pending => Err(anyhow!("a statement waits")),
    }
}
