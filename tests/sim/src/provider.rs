//! Free providers, each strict in its own way of counting.

use std::{collections::VecDeque, time::Duration};

use octo_core::UnixMillis;
use octo_gateway::free_tier::{Limits, RateLimitHints, WindowModel};

/// A provider that takes N calls per window, answers 429 to more, and blocks for B after each of those.
#[derive(Clone, Debug)]
pub struct Provider {
    model: WindowModel,
    calls: i64,
    window: i64,
    block: i64,
    /// How far its clock is ahead of the store's.
    ahead: i64,
    /// Nothing is taken before.
    closed_until: i64,
    /// The same, as far as it is because of a call too many.
    punishes_until: i64,
    /// Start of the window and calls in it (aligned, anchored), or calls so far (count then block).
    window_start: i64,
    taken: i64,
    recent: VecDeque<i64>,
    level: i64,
    level_at: i64,
    /// Arrivals beyond what it allows.
    pub over: u64,
    /// How often it began to block because of them.
    pub blocks: u64,
}

impl Provider {
    /// A provider nobody has called yet.
    pub fn new(model: WindowModel, limits: &Limits, ahead: i64) -> Self {
        let whole = |duration: Duration| duration.as_millis() as i64;
        Self {
            model,
            calls: limits.calls,
            window: whole(limits.window),
            block: whole(limits.block),
            ahead,
            closed_until: i64::MIN,
            punishes_until: i64::MIN,
            window_start: i64::MIN / 2,
            taken: 0,
            recent: VecDeque::new(),
            level: limits.calls * whole(limits.window),
            level_at: 0,
            over: 0,
            blocks: 0,
        }
    }

    /// A call arrives at `now` on the store's clock; whether it is taken.
    pub fn arrive(&mut self, now: i64) -> bool {
        let room = self.has_room(now);
        if room {
            self.take(now + self.ahead);
        } else {
            if now + self.ahead >= self.closed_until || self.over == 0 {
                self.blocks += 1;
            }
            self.over += 1;
            self.closed_until = self.closed_until.max(now + self.ahead + self.block);
            self.punishes_until = self.closed_until;
        }
        room
    }

    /// Whether it is closed because of an earlier call too many.
    pub fn punishes(&self, now: i64) -> bool {
        now + self.ahead < self.punishes_until
    }

    /// Whether a call that arrives at `now` would be taken.
    pub fn has_room(&mut self, now: i64) -> bool {
        let now = now + self.ahead;
        if now < self.closed_until {
            return false;
        }
        match self.model {
            WindowModel::Aligned => {
                let start = now.div_euclid(self.window) * self.window;
                if start != self.window_start {
                    (self.window_start, self.taken) = (start, 0);
                }
                self.taken < self.calls
            }
            WindowModel::Anchored => now >= self.window_start + self.window || self.taken < self.calls,
            WindowModel::Sliding => {
                while self.recent.front().is_some_and(|first| *first <= now - self.window) {
                    self.recent.pop_front();
                }
                (self.recent.len() as i64) < self.calls
            }
            WindowModel::TokenBucket => {
                let flowed = (now - self.level_at).clamp(0, self.window) * self.calls;
                self.level = (self.level + flowed).min(self.calls * self.window);
                self.level_at = self.level_at.max(now);
                self.level >= self.window
            }
            WindowModel::CountThenBlock => true,
        }
    }

    /// What it could tell in an answer at `now`: its limit, the calls left in its window, when there are more
    /// in whole seconds, rounded up, and its time in whole seconds.
    pub fn told(&mut self, now: i64) -> RateLimitHints {
        let room = self.has_room(now);
        let now = now + self.ahead;
        let (left, resets) = match self.model {
            WindowModel::Aligned => (self.calls - self.taken, self.window_start + self.window),
            WindowModel::Anchored if now >= self.window_start + self.window => (self.calls, now),
            WindowModel::Anchored => (self.calls - self.taken, self.window_start + self.window),
            WindowModel::Sliding => {
                let first = self.recent.front().map_or(now, |first| first + self.window);
                (self.calls - self.recent.len() as i64, first)
            }
            WindowModel::TokenBucket => {
                let missing = (self.window - self.level % self.window) / self.calls.max(1);
                (self.level / self.window, now + missing)
            }
            WindowModel::CountThenBlock => (self.calls - self.taken, now),
        };
        let resets = if now < self.closed_until { self.closed_until } else { resets };
        RateLimitHints {
            limit: Some(self.calls),
            remaining: Some(if room { left } else { 0 }),
            reset: Some(Duration::from_secs(((resets - now).max(0) as u64).div_ceil(1000))),
            quota: Some(self.calls),
            foreign: false,
            date: Some(UnixMillis(now.div_euclid(1000) * 1000)),
        }
    }

    fn take(&mut self, now: i64) {
        match self.model {
            WindowModel::Aligned => self.taken += 1,
            WindowModel::Anchored => {
                if now >= self.window_start + self.window {
                    (self.window_start, self.taken) = (now, 0);
                }
                self.taken += 1;
            }
            WindowModel::Sliding => self.recent.push_back(now),
            WindowModel::TokenBucket => self.level -= self.window,
            WindowModel::CountThenBlock => {
                self.taken += 1;
                if self.taken == self.calls {
                    self.taken = 0;
                    self.closed_until = now + self.block;
                }
            }
        }
    }
}
