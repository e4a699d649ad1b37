//! Time and randomness from WASI.

use octo_core::async_trait;
use std::{
    future::poll_fn,
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use octo_core::{Clock, Entropy, UnixMillis, time::millis};
use spin_executor::CancelOnDropToken;
use wasi::clocks::monotonic_clock;

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
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let deadline = monotonic_clock::now().saturating_add(nanoseconds);
        // Dropping the token cancels the wait, so an abandoned sleep holds nobody up.
        let mut registration = None;
        poll_fn(|context| {
            if registration.is_some() {
                // Polled again: by the timer, or because something beside it made progress.
                return if monotonic_clock::now() >= deadline { Poll::Ready(()) } else { Poll::Pending };
            }
            let timer = monotonic_clock::subscribe_instant(deadline);
            let token = spin_executor::push_waker_and_get_token(timer, context.waker().clone());
            registration = Some(CancelOnDropToken::from(token));
            Poll::Pending
        })
        .await;
        drop(registration);
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
