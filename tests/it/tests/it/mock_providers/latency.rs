//! How long calls are on their way and at the provider.

use std::time::Duration;

use octo_sim::random::Random;

/// Answering times: at least `least`, exponentially distributed above it around `mean`, and one in fifty four
/// times as long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    least: f64,
    mean: f64,
}

/// The way of one call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    /// Until it is in the books.
    pub(super) there: Duration,
    /// From then until it is answered.
    pub(super) back: Duration,
}

impl Latency {
    /// Every call is answered at once.
    pub(crate) const NONE: Self = Self { least: 0.0, mean: 0.0 };

    /// Answering times in milliseconds.
    pub(crate) fn around(least: f64, mean: f64) -> Self {
        Self { least, mean }
    }

    pub(super) fn way(self, random: &mut Random) -> Way {
        let mut total = self.least;
        if self.mean > self.least {
            total += random.exponential(self.mean - self.least);
        }
        if random.share() < 0.02 {
            total *= 4.0;
        }
        // Where on its way a call is counted is anybody's guess.
        let there = total * random.share();
        let time = |milliseconds: f64| Duration::from_secs_f64(milliseconds / 1000.0);
        Way { there: time(there), back: time(total - there) }
    }
}

/// Sleeps, unless there is nothing to sleep: a timer is never shorter than its tick.
pub(super) async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
