//! Increments that several tasks of one instance want at the same time, put to the store as one.
//!
//! A store that syncs every write takes some hundred a second, one after another. Whoever wants to add to a counter
//! [joins](Joined::join) those who want the same, lets the other tasks run, and then [puts](Ticket::put) the sum of all who
//! joined meanwhile, unless one of them has done so.
//!
//! # Invariant
//! Everybody's answer is what the store would have told them had they asked one after another, in the order in which they
//! joined, and nobody's increment is put twice. So what holds of a counter holds of it here too: no two that add 1 are told
//! the same number. Who gives up before the sum was put has no part in it. Who gives up later is where they would be if
//! they had asked alone: it is done, and they do not know.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use crate::StoreError;

type Waiting = BTreeMap<String, Vec<Arc<Part>>>;

/// Those who wait to be asked for, by counter.
#[derive(Debug, Default)]
pub struct Joined {
    waiting: Mutex<Waiting>,
}

/// One increment.
#[derive(Debug)]
struct Part {
    delta: i64,
    answer: OnceLock<Result<i64, StoreError>>,
}

/// A place among those who join.
#[derive(Debug)]
pub struct Ticket<'a> {
    joined: &'a Joined,
    key: String,
    part: Arc<Part>,
}

impl Joined {
    /// Nobody.
    pub const fn new() -> Self {
        Self { waiting: Mutex::new(BTreeMap::new()) }
    }

    /// Joins those who want to add to the counter under `key`.
    pub fn join(&self, key: &str, delta: i64) -> Ticket<'_> {
        let part = Arc::new(Part { delta, answer: OnceLock::new() });
        self.waiting().entry(key.into()).or_default().push(Arc::clone(&part));
        Ticket { joined: self, key: key.into(), part }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// What the counter came to with this increment, if another has put it.
    pub fn answer(&self) -> Option<Result<i64, StoreError>> {
        self.part.answer.get().cloned()
    }

    /// The same; unless it is known, `increment` is asked for the counter's value with the sum of all who joined.
    ///
    /// # Errors
    /// Those of `increment`, to all of them alike.
    pub fn put(self, increment: impl FnOnce(i64) -> Result<i64, StoreError>) -> Result<i64, StoreError> {
        if let Some(answer) = self.answer() {
            return answer;
        }
        let parts = self.joined.waiting().remove(&self.key).unwrap_or_default();
        let sum = parts.iter().map(|part| part.delta).sum::<i64>();
        let answer = increment(sum);
        let mut value = answer.as_ref().map_or(0, |total| total - sum);
        for part in parts {
            value += part.delta;
            let own = answer.as_ref().map(|_| value).map_err(Clone::clone);
            // Nobody else has taken it out.
            let _ = part.answer.set(own);
        }
        self.answer().unwrap_or(answer)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut waiting = self.joined.waiting();
        if let Some(parts) = waiting.get_mut(&self.key) {
            parts.retain(|part| !Arc::ptr_eq(part, &self.part));
            if parts.is_empty() {
                waiting.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What a task does next.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Join {
            counter: usize,
            delta: i64,
        },
        /// The task that joined as the so-manieth of those who still wait goes on.
        GoOn(usize),
        /// It gives up.
        GiveUp(usize),
        /// The store fails the next question.
        Fail,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..2_usize, prop_oneof![4 => Just(1), 1 => -2..3_i64])
                .prop_map(|(counter, delta)| Step::Join { counter, delta }),
            4 => (0..8_usize).prop_map(Step::GoOn),
            1 => (0..8_usize).prop_map(Step::GiveUp),
            1 => Just(Step::Fail),
        ]
    }

    proptest! {
        /// Whatever tasks do, and in whichever order, the answers are those of the same increments one after another.
        #[test]
        fn the_answers_are_those_of_one_after_another(steps in prop::collection::vec(step(), 1..60)) {
            let joined = Joined::new();
            let mut store: BTreeMap<usize, i64> = BTreeMap::new();
            let mut tasks: Vec<(usize, i64, Ticket<'_>)> = Vec::new();
            let (mut questions, mut told, mut fails) = (0, BTreeMap::<usize, Vec<(i64, i64)>>::new(), false);
            let all = steps.len();
            for step in steps.into_iter().chain(std::iter::repeat_n(Step::GoOn(0), all)) {
                match step {
                    Step::Join { counter, delta } => {
                        tasks.push((counter, delta, joined.join(&counter.to_string(), delta)));
                    }
                    Step::GoOn(index) if index < tasks.len() => {
                        let (counter, delta, ticket) = tasks.remove(index);
                        let answer = ticket.put(|sum| {
                            questions += 1;
                            if std::mem::take(&mut fails) {
                                return Err(StoreError("down".into()));
                            }
                            let value = store.entry(counter).or_default();
                            *value += sum;
                            Ok(*value)
                        });
                        if let Ok(value) = answer {
                            told.entry(counter).or_default().push((delta, value));
                        }
                    }
                    Step::GiveUp(index) if index < tasks.len() => {
                        let (counter, delta, ticket) = tasks.remove(index);
                        if let Some(Ok(value)) = ticket.answer() {
                            // It is done.
                            told.entry(counter).or_default().push((delta, value));
                        }
                    }
                    Step::GoOn(_) | Step::GiveUp(_) => {}
                    Step::Fail => fails = true,
                }
            }
            prop_assert!(tasks.is_empty() && joined.waiting().is_empty(), "nobody is left behind");
            for (counter, told) in told {
                let sum: i64 = told.iter().map(|(delta, _)| delta).sum();
                prop_assert_eq!(sum, store.get(&counter).copied().unwrap_or(0), "each is put once");
                prop_assert!(chains(told, 0), "they can be put in a row");
            }
        }
    }

    /// Whether increments with these answers can have been made one after another, beginning at `value`.
    fn chains(told: Vec<(i64, i64)>, value: i64) -> bool {
        // Each takes the counter from `answer - delta` to `answer`: an Euler path over the values that uses every step.
        let mut balance: BTreeMap<i64, i64> = BTreeMap::new();
        for (delta, answer) in &told {
            *balance.entry(answer - delta).or_default() += 1;
            *balance.entry(*answer).or_default() -= 1;
        }
        let end = value + told.iter().map(|(delta, _)| delta).sum::<i64>();
        *balance.entry(value).or_default() -= 1;
        *balance.entry(end).or_default() += 1;
        balance.values().all(|open| *open == 0)
    }

    #[test]
    fn who_joins_meanwhile_is_part_of_the_question() {
        let joined = Joined::new();
        let tickets = [1, 1, -1, 1].map(|delta| joined.join("n", delta));
        let other = joined.join("m", 1);
        let mut asked = Vec::new();
        let answers = tickets.map(|ticket| {
            ticket.put(|sum| {
                asked.push(sum);
                Ok(40 + sum)
            })
        });
        assert_eq!((asked, answers), (vec![2], [Ok(41), Ok(42), Ok(41), Ok(42)]));
        assert_eq!(other.put(Ok), Ok(1));
        assert_eq!(joined.join("n", 5).put(Ok), Ok(5), "a question that was put is over");
    }
}
