//! How the rate goes, where nobody sets it.

use std::time::Duration;

use crate::Shared;

/// Stages, each with its seconds and its requests in a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile(&'static [(u64, f64)]);

/// A few requests, to see that everything works.
const SMOKE: Profile = Profile(&[(8, 20.0)]);

/// What a shop has on an ordinary day.
const LOAD: Profile = Profile(&[(10, 50.0), (60, 100.0), (10, 50.0)]);

/// More and more.
const STRESS: Profile = Profile(&[(20, 100.0), (20, 200.0), (20, 400.0), (20, 800.0), (20, 1600.0)]);

/// All at once, and then as before.
const SPIKE: Profile = Profile(&[(20, 50.0), (10, 1000.0), (20, 50.0)]);

impl Profile {
    /// The profile of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "smoke" => SMOKE,
            "load" => LOAD,
            "stress" => STRESS,
            "spike" => SPIKE,
            _ => return None,
        })
    }

    /// How long it takes.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0.iter().map(|(seconds, _)| seconds).sum())
    }
}

/// Sets the rate, stage after stage, and says how each went.
pub(crate) async fn follow(profile: Profile, shared: &'static Shared) {
    for (seconds, rate) in profile.0 {
        shared.pace.set(*rate);
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        println!("wanted {rate:.0}/s: {}", shared.figures.of_the_moment());
    }
    shared.pace.set(0.0);
}
