//! The oracle: a perfect greedy caller, who knows the provider's state and whose calls arrive at once. It
//! serves the same messages, and the figures compare with what even it could not send free.
//!
//! It counts by the limit in force and on the store's clock, and is never refused.

use std::collections::VecDeque;

use octo_core::{UnixMillis, time::millis};

use super::{Limits, WindowId, WindowModel};

/// What the oracle knows of the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oracle {
    /// When the window began (aligned, anchored), until when the provider is closed (count then block), or
    /// when the bucket was last refilled.
    at: UnixMillis,
    /// Calls in the window or since the last block, or the level of the bucket (a token is P units).
    count: i64,
    /// The calls of the last P (sliding).
    recent: VecDeque<UnixMillis>,
}

impl Oracle {
    /// Whether it sends a message of now free. `ahead`: how far the provider's clock is taken to be ahead,
    /// in milliseconds.
    pub fn sends(
        &mut self,
        model: WindowModel,
        limits: &Limits,
        limit: i64,
        ahead: i64,
        now: UnixMillis,
    ) -> bool {
        let period = limits.window;
        let has_room = match model {
            WindowModel::Aligned => {
                let start = WindowId::containing(UnixMillis(now.0 + ahead), period).start(period);
                if start != self.at {
                    (self.at, self.count) = (start, 0);
                }
                self.count < limit
            }
            WindowModel::Anchored => {
                if now >= self.at + period {
                    (self.at, self.count) = (now, 0);
                }
                self.count < limit
            }
            WindowModel::Sliding => {
                while self.recent.front().is_some_and(|first| *first + period <= now) {
                    self.recent.pop_front();
                }
                i64::try_from(self.recent.len()).is_ok_and(|calls| calls < limit)
            }
            WindowModel::TokenBucket => {
                let flowed = millis(now.since(self.at).min(period)) * limit;
                self.count = (self.count + flowed).min(limit.saturating_mul(millis(period)));
                self.at = now;
                self.count >= millis(period)
            }
            WindowModel::CountThenBlock => now >= self.at,
        };
        if has_room {
            match model {
                WindowModel::Aligned | WindowModel::Anchored => self.count += 1,
                WindowModel::Sliding => self.recent.push_back(now),
                WindowModel::TokenBucket => self.count -= millis(period),
                WindowModel::CountThenBlock if self.count + 1 >= limit => {
                    (self.at, self.count) = (now + limits.block, 0);
                }
                WindowModel::CountThenBlock => self.count += 1,
            }
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_sends_what_the_provider_takes() {
        let second = Duration::from_secs(1);
        let limits =
            Limits { calls: 2, window: 10 * second, block: 15 * second, timeout: second, skew: second };
        for (model, sent) in [
            (WindowModel::Aligned, [1, 9, 10, 12]),
            (WindowModel::Anchored, [1, 9, 12, 13]),
            (WindowModel::Sliding, [1, 9, 12, 19]),
            (WindowModel::TokenBucket, [1, 9, 9, 14]),
            (WindowModel::CountThenBlock, [1, 9, 24, 25]),
        ] {
            let mut oracle = Oracle::default();
            let asks = [1, 9, 9, 10, 12, 13, 14, 19, 23, 24, 25];
            let start = UnixMillis(1_800_000_000_000);
            let mut taken: Vec<_> = asks
                .into_iter()
                .filter(|at| oracle.sends(model, &limits, 2, 0, start + *at * second))
                .collect();
            taken.truncate(4);
            assert_eq!(taken, sent, "{model:?}");
        }
    }
}
