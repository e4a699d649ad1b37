//! How many requests in a second all virtual users send together.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// The pace. Each request takes the next slot; slots are as far apart as the rate says.
#[derive(Default)]
pub(crate) struct Pace {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Requests in a second; 0 while nobody sends any.
    rate: f64,
    /// When the next slot is.
    next: Option<Instant>,
}

/// How late a slot may be taken. Who comes later than that does not send faster to make up for it.
const LATE: Duration = Duration::from_millis(200);

impl Pace {
    /// Requests in a second that are wanted.
    pub(crate) fn rate(&self) -> f64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rate
    }

    /// Changes the rate; 0 stops everybody.
    pub(crate) fn set(&self, rate: f64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { rate: rate.clamp(0.0, 100_000.0), next: None };
        self.changed.notify_waiters();
    }

    /// Waits for the next slot. While nobody is to send anything this returns every second, and says so: a virtual user must
    /// be able to end.
    pub(crate) async fn turn(&self) -> bool {
        // Before the look: a change after it wakes us up.
        let changed = self.changed.notified();
        let slot = match self.slot() {
            Some(slot) => Some(slot),
            None => {
                let _ = tokio::time::timeout(Duration::from_secs(1), changed).await;
                self.slot()
            }
        };
        match slot {
            Some(slot) => {
                tokio::time::sleep_until(slot).await;
                true
            }
            None => false,
        }
    }

    fn slot(&self) -> Option<Instant> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.rate <= 0.0 {
            return None;
        }
        let now = Instant::now();
        let slot = state.next.filter(|next| *next + LATE >= now).unwrap_or(now);
        state.next = Some(slot + Duration::from_secs_f64(1.0 / state.rate));
        Some(slot)
    }
}
