//! The pause before a failed job is tried again.

use std::time::Duration;

/// The pause after the first failure is at least half of this, and at most this.
const FIRST: Duration = Duration::from_secs(1);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// The pause after the failure of attempt number `attempt` (from 1): doubled each time, of which the later half is
/// left to chance (`random`), so that jobs which failed together do not come back together.
pub fn pause(attempt: i64, random: u8) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    let full = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    full / 2 + full / 2 * u32::from(random) / 255
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_double_up_to_the_longest_and_half_of_each_is_chance(attempt in -2_i64..1_000_000, random: u8) {
            let pause = pause(attempt, random);
            let full = FIRST.as_secs_f64() * 2_f64.powi((attempt - 1).clamp(0, 30) as i32);
            let full = full.min(LONGEST.as_secs_f64());
            prop_assert!((full / 2.0..=full).contains(&pause.as_secs_f64()), "{pause:?} of {full}");
        }
    }
}
