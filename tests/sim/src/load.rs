//! When messages come.

use crate::random::Random;

/// A way in which messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// On the average as many as the free provider takes: the hardest to serve without waste.
    Critical,
    /// Three times as many.
    Overload,
    /// Twice a window's calls within two seconds, then quiet for about two windows.
    Bursts,
    /// A third of what the provider takes.
    Trickle,
    /// One message after another at even distances, half as many again as the provider takes.
    OneAtATime,
}

impl Load {
    /// Every load.
    pub const ALL: [Self; 5] =
        [Self::Critical, Self::Overload, Self::Bursts, Self::Trickle, Self::OneAtATime];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Overload => "3x",
            Self::Bursts => "bursts",
            Self::Trickle => "trickle",
            Self::OneAtATime => "1 by 1",
        }
    }

    /// The times of the messages from 0 to `duration`, in order, for a provider that takes `calls` in
    /// `window`.
    pub fn times(self, calls: i64, window: i64, duration: i64, random: &mut Random) -> Vec<i64> {
        let mut times = Vec::new();
        let mean = window as f64 / calls as f64;
        let mut now = 0.0;
        match self {
            Self::Bursts => loop {
                now += random.exponential(2.0 * window as f64);
                if now as i64 > duration {
                    break;
                }
                times.extend((0..2 * calls).map(|_| now as i64 + random.between(0, 2_000)));
            },
            Self::OneAtATime => {
                // Not in step with the windows, so that over many of them messages come at any time in one.
                now = random.share() * mean;
                while now as i64 <= duration {
                    times.push(now as i64);
                    now += mean / 1.5 + 0.37;
                }
            }
            Self::Critical | Self::Overload | Self::Trickle => {
                let mean = match self {
                    Self::Overload => mean / 3.0,
                    Self::Trickle => mean * 3.0,
                    _ => mean,
                };
                loop {
                    now += random.exponential(mean);
                    if now as i64 > duration {
                        break;
                    }
                    times.push(now as i64);
                }
            }
        }
        times.sort_unstable();
        times
    }
}
