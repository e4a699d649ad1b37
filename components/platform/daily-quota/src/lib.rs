//! How much of something one user may have on one day: free messages, messages that are paid for, and room for the
//! answers kept under the keys of requests that are sent again.
//!
//! The allowance of free messages lies under the quota that all users share: a message goes free only when both have
//! room. It is optional, and a day is a day in UTC. The rule is the original message handler's, refilled when the date
//! changes; unlike there, a day's counter is atomic, so parallel messages never get more than their number.
//!
//! The gateway takes messages from it; sign-on only shows what is left, to the original's clients. It must know
//! neither of them.
//!
//! # Invariant
//! Of one user's allowance of one day at most [`Allowance::per_day`] messages are held at any time, whatever
//! races and crashes. A day's counter is at least the number of messages held, for it is raised before a
//! message is granted and lowered after one is given up. It is removed only when the user's days have moved two
//! further: nobody takes from it then, as long as clocks agree to within a day and no call lasts a day.
//!
//! # In the store
//! At most three keys for each user, however long they stay away: a record of the last two days of use, and
//! their counters. The store has no expiry, so the first message of a day removes what is older. (Instances that
//! disagree at midnight about which day it is may leave one counter more behind.)

use octo_core::{KeyValue, StoreError, UnixMillis, UtcDay};
use serde::{Deserialize, Serialize};

/// Free messages a user has in a day on the original's routes, unless the operator says otherwise (as the original
/// message handler has it).
const ORIGINALS: i64 = 10;

/// The allowance on the original's routes, where the operator's variable `free_daily_per_user` is `set` (0 for none).
pub fn of_the_original(set: i64) -> i64 {
    if set == 0 { ORIGINALS } else { set }
}

/// What a user's messages that are paid for are counted under, as free ones are under the user's own name.
pub fn paid_by(user: &str) -> String {
    format!("paid/{user}")
}

/// What the room for a user's kept answers is counted under.
pub fn kept_for(user: &str) -> String {
    format!("kept/{user}")
}

/// The allowances of all users.
#[derive(Debug)]
pub struct Allowance<'a, K> {
    /// Where they are counted.
    pub store: &'a K,
    /// How much each user has in a day (free messages, say); none when 0 or less.
    pub per_day: i64,
}

/// The answer to [`Allowance::take`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The message may go free.
    Taken(Taken),
    /// Not before this time.
    UsedUp {
        /// When the user's next day begins.
        refills_at: UnixMillis,
    },
}

/// One message of a user's allowance, held. It may travel from one component to another; given back twice, it
/// would give away somebody else's.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Messages left on this day.
    pub left: i64,
    /// When the user's next day begins.
    pub refills_at: UnixMillis,
    user: String,
    day: UtcDay,
}

/// A user's allowance as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Messages left on this day.
    pub left: i64,
    /// The date on which there are [`Allowance::per_day`] again: `refresh_at` of the original message handler.
    pub refills_on: UtcDay,
}

/// The days on which a user last sent messages. Once a day was entered it is entered for all instances, also
/// those whose clocks are a little behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Days {
    last: UtcDay,
    /// The one before, if there was one.
    before: Option<UtcDay>,
}

impl Days {
    /// The last day, if messages of `today` are counted on it. A day further ahead was entered by an
    /// instance whose clock is broken, and must not keep the user waiting for it.
    fn current(self, today: UtcDay) -> Option<UtcDay> {
        (today..=today.next()).contains(&self.last).then_some(self.last)
    }
}

impl<K: KeyValue> Allowance<'_, K> {
    /// Takes one message of what `user` may send free at `now`. Two store calls; four and more on the first
    /// message of a day, three when the allowance is used up.
    pub async fn take(&self, user: &str, now: UnixMillis) -> Result<Verdict, StoreError> {
        let day = self.enter(user, UtcDay::containing(now)).await?;
        let refills_at = day.next().start();
        let counter = counter(user, day);
        let held = self.store.increment(&counter, 1).await?;
        if held > self.per_day {
            // So that the next one can have what others give back.
            self.store.increment(&counter, -1).await?;
            return Ok(Verdict::UsedUp { refills_at });
        }
        Ok(Verdict::Taken(Taken { left: self.per_day - held, refills_at, user: user.to_owned(), day }))
    }

    /// Takes so much more for the same, if there is as much. One store call, two when there is not.
    pub async fn take_more(&self, taken: &Taken, amount: i64) -> Result<bool, StoreError> {
        let counter = counter(&taken.user, taken.day);
        let fits = self.store.increment(&counter, amount).await? <= self.per_day;
        if !fits {
            self.store.increment(&counter, -amount).await?;
        }
        Ok(fits)
    }

    /// The message did not go free after all.
    pub async fn give_back(&self, taken: Taken) -> Result<(), StoreError> {
        self.store.increment(&counter(&taken.user, taken.day), -1).await.map(drop)
    }

    /// What `user` may still send free at `now`. Takes nothing.
    pub async fn standing(&self, user: &str, now: UnixMillis) -> Result<Standing, StoreError> {
        let today = UtcDay::containing(now);
        let entered = self.days(user).await?.and_then(|days| days.current(today));
        let day = entered.unwrap_or(today);
        let counter = counter(user, day);
        // Reading a counter with `increment` creates it, and nobody would remove one that was only looked at.
        let held = match entered {
            Some(_) if self.store.get(&counter).await?.is_some() => self.store.increment(&counter, 0).await?,
            _ => 0,
        };
        let most = self.per_day.max(0);
        Ok(Standing { left: most.saturating_sub(held).clamp(0, most), refills_on: day.next() })
    }

    /// Forgets a user who will never come back.
    pub async fn forget(&self, user: &str) -> Result<(), StoreError> {
        let Some(days) = self.days(user).await? else { return Ok(()) };
        // The record last: after a crash in between, the next attempt still knows the counters.
        for day in [Some(days.last), days.before].into_iter().flatten() {
            self.store.delete(&counter(user, day)).await?;
        }
        self.store.delete(&record(user)).await
    }

    /// The day to take from: today, or a later one that the user has already entered. A new day is written
    /// down before its counter is made, and an old counter removed before its day is struck, so that a crash
    /// leaves no counter behind.
    async fn enter(&self, user: &str, today: UtcDay) -> Result<UtcDay, StoreError> {
        let days = self.days(user).await?;
        if let Some(day) = days.and_then(|days| days.current(today)) {
            return Ok(day);
        }
        // After a broken clock it may be no older than today, and still in use.
        let out_of_use = |day: &UtcDay| day.0.abs_diff(today.0) > 1;
        if let Some(older) = days.and_then(|days| days.before).filter(out_of_use) {
            self.store.delete(&counter(user, older)).await?;
        }
        let entered = Days { last: today, before: days.map(|days| days.last) };
        let bytes = serde_json::to_vec(&entered).map_err(|error| StoreError(error.to_string()))?;
        self.store.set(&record(user), &bytes).await?;
        Ok(today)
    }

    async fn days(&self, user: &str) -> Result<Option<Days>, StoreError> {
        let key = record(user);
        let Some(bytes) = self.store.get(&key).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError(format!("`{key}`: {error}")))
    }
}

fn record(user: &str) -> String {
    format!("gateway/allowance/{user}/days")
}

fn counter(user: &str, day: UtcDay) -> String {
    format!("gateway/allowance/{user}/{day}")
}

#[cfg(test)]
mod tests;
