//! What was sent, and how it went.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;

/// The time that the figures of the moment are about.
const MOMENT: Duration = Duration::from_secs(5);

/// Most requests of a moment that are remembered.
const MOST: usize = 100_000;

/// All requests.
#[derive(Default)]
pub(crate) struct Figures(Mutex<State>);

#[derive(Default)]
struct State {
    started: Option<Instant>,
    requests: u64,
    errors: u64,
    first_error: Option<String>,
    recent: VecDeque<Request>,
    /// Milliseconds of all requests since the start.
    all: Vec<f32>,
}

struct Request {
    at: Instant,
    ms: f32,
    failed: bool,
}

/// Figures over some time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// Requests in a second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f32,
    pub(crate) p99_ms: f32,
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, errors, rate, p50_ms, p99_ms } = self;
        write!(
            out,
            "{requests} requests, {errors} failed, {rate:.0}/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms"
        )
    }
}

impl Figures {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that took `time`; `error` says why it failed.
    pub(crate) fn note(&self, time: Duration, error: Option<String>) {
        let mut state = self.state();
        let now = Instant::now();
        state.started.get_or_insert(now);
        let ms = time.as_secs_f32() * 1000.0;
        state.requests += 1;
        state.errors += u64::from(error.is_some());
        state.recent.push_back(Request { at: now, ms, failed: error.is_some() });
        if state.recent.len() > MOST {
            state.recent.pop_front();
        }
        state.all.push(ms);
        if state.first_error.is_none() {
            state.first_error = error;
        }
    }

    /// Why the first request failed that did.
    pub(crate) fn first_error(&self) -> String {
        self.state().first_error.clone().unwrap_or_default()
    }

    /// The last seconds.
    pub(crate) fn of_the_moment(&self) -> Summary {
        let mut state = self.state();
        let now = Instant::now();
        while state.recent.front().is_some_and(|request| now - request.at > MOMENT) {
            state.recent.pop_front();
        }
        let errors = state.recent.iter().filter(|request| request.failed).count() as u64;
        let since = state.started.map_or(MOMENT, |started| (now - started).min(MOMENT));
        let times: Vec<f32> = state.recent.iter().map(|request| request.ms).collect();
        summary(times, errors, since)
    }

    /// Everything.
    pub(crate) fn since_start(&self) -> Summary {
        let state = self.state();
        let since = state.started.map_or(Duration::ZERO, |started| started.elapsed());
        summary(state.all.clone(), state.errors, since)
    }
}

fn summary(mut times: Vec<f32>, errors: u64, since: Duration) -> Summary {
    times.sort_unstable_by(f32::total_cmp);
    let percentile = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0.0);
    let (requests, seconds) = (times.len() as u64, since.as_secs_f64());
    let rate = if seconds > 0.0 { requests as f64 / seconds } else { 0.0 };
    Summary { requests, errors, rate, p50_ms: percentile(50), p99_ms: percentile(99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_requests() {
        let figures = Figures::default();
        for ms in 1..=100 {
            figures.note(Duration::from_millis(ms), (ms > 98).then(|| format!("{ms}")));
        }
        let all = figures.since_start();
        assert_eq!((all.requests, all.errors), (100, 2));
        assert_eq!((all.p50_ms.round(), all.p99_ms.round()), (51.0, 100.0));
        assert_eq!((figures.of_the_moment().requests, figures.first_error().as_str()), (100, "99"));
    }
}
