//! Time and randomness from WASI.

use octo_core::async_trait;
use std::{
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::future::{Either, select};
use octo_core::{Clock, Entropy, UnixMillis, time::millis};
use send_wrapper::SendWrapper;

use crate::lane;

/// This instance's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinClock;

#[async_trait]
impl Clock for SpinClock {
    // The one place where the ambient clock is read.
    #[allow(clippy::disallowed_methods)]
    fn now(&self) -> UnixMillis {
        UnixMillis(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis))
    }

    async fn sleep(&self, duration: Duration) {
        SendWrapper::new(lane::sleep(duration)).await;
    }
}

/// What comes of `future`, unless it takes longer. The host's own timeouts bound each phase of a call; only a
/// timer here bounds all of it. When both are ready the future counts.
pub(crate) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(SpinClock.sleep(time))).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(((), _)) => None,
    }
}

/// The platform's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinEntropy;

impl Entropy for SpinEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // WASI's random source has no failure; an instance whose host breaks that promise must not go on
        // with predictable keys.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}
