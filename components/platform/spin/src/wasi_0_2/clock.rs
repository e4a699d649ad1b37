//! Waiting.

use std::{future::poll_fn, task::Poll, time::Duration};

use spin_executor::CancelOnDropToken;
use wasi::clocks::monotonic_clock;

/// Waits that long; others go on meanwhile.
pub(crate) async fn sleep(duration: Duration) {
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
