//! What a provider has written down, and whether it was called too often: by rules that are neither those of
//! the application nor those of the provider.

use std::collections::HashSet;

use octo_gateway::free_tier::WindowModel;

/// One call, when it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// On the provider's clock, milliseconds since the epoch.
    pub(crate) at: i64,
    /// The message's id.
    pub(crate) id: String,
    /// Whether it was processed, and not answered with 429.
    pub(crate) taken: bool,
}

/// What a free provider allows: `calls` in a window of `period`, and it is closed for `block` when its model
/// says so. Milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) model: WindowModel,
    pub(crate) calls: i64,
    pub(crate) period: i64,
    pub(crate) block: i64,
}

impl Limit {
    /// The most calls that any one window saw; more than `calls` is an overrun. The times are in order.
    pub(crate) fn fullest_window(&self, times: &[i64]) -> i64 {
        match self.model {
            WindowModel::Aligned => {
                runs(times, |first, time| time.div_euclid(self.period) == first.div_euclid(self.period))
            }
            WindowModel::Anchored => runs(times, |first, time| time < first + self.period),
            WindowModel::Sliding => self.fullest_sliding(times),
            WindowModel::TokenBucket => self.deepest_bucket(times),
            WindowModel::CountThenBlock => self.longest_count(times),
        }
    }

    /// The most calls in any time of length `period`.
    fn fullest_sliding(&self, times: &[i64]) -> i64 {
        let mut fullest = 0;
        let mut oldest = 0;
        for (newest, time) in times.iter().enumerate() {
            while times[oldest] <= time - self.period {
                oldest += 1;
            }
            fullest = fullest.max(newest + 1 - oldest);
        }
        fullest as i64
    }

    /// The most tokens ever missing from a full bucket: over every stretch of time the calls in it, less what
    /// flowed back meanwhile.
    fn deepest_bucket(&self, times: &[i64]) -> i64 {
        let (mut deepest, mut missing, mut before) = (0, 0, None);
        for time in times {
            let flowed = before.map_or(0, |before| (time - before) * self.calls);
            missing = (missing - flowed).max(0) + self.period;
            before = Some(*time);
            deepest = deepest.max(missing);
        }
        (deepest + self.period - 1) / self.period
    }

    /// The most calls before the provider had opened again after the Nth.
    fn longest_count(&self, times: &[i64]) -> i64 {
        let (mut longest, mut count, mut closed_until) = (0, 0, i64::MIN);
        for time in times {
            if count >= self.calls && *time >= closed_until {
                count = 0;
            }
            count += 1;
            if count == self.calls {
                closed_until = time + self.block;
            }
            longest = longest.max(count);
        }
        longest
    }
}

/// The longest run of times that belong to the window of its first.
fn runs(times: &[i64], belongs: impl Fn(i64, i64) -> bool) -> i64 {
    let (mut longest, mut length, mut first) = (0, 0, None);
    for time in times {
        match first {
            Some(first) if belongs(first, *time) => length += 1,
            _ => (first, length) = (Some(*time), 1),
        }
        longest = longest.max(length);
    }
    longest
}

/// The first id that occurs twice.
pub(crate) fn repeated<'a>(ids: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    ids.into_iter().find(|id| !seen.insert(*id))
}

#[test]
fn a_window_is_counted_as_its_model_says() {
    let limit = |model| Limit { model, calls: 3, period: 100, block: 50 };
    for (model, times, fullest) in [
        (WindowModel::Aligned, &[10, 90, 99, 100, 199, 250][..], 3),
        (WindowModel::Aligned, &[100, 110, 150, 199], 4),
        (WindowModel::Anchored, &[10, 90, 109, 110, 150, 209, 210], 3),
        (WindowModel::Anchored, &[10, 11, 12, 109, 110], 4),
        (WindowModel::Sliding, &[0, 50, 99, 100, 150], 3),
        (WindowModel::Sliding, &[0, 50, 99, 99, 150], 4),
        // A token comes back in 33 1/3 ms.
        (WindowModel::TokenBucket, &[0, 0, 0, 34, 68], 3),
        (WindowModel::TokenBucket, &[0, 0, 0, 33], 4),
        (WindowModel::CountThenBlock, &[0, 500, 900, 950, 960], 3),
        (WindowModel::CountThenBlock, &[0, 500, 900, 949], 4),
    ] {
        assert_eq!(limit(model).fullest_window(times), fullest, "{model:?} {times:?}");
    }
}
