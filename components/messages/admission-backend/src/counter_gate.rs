//! When a counter that gives no answer is left alone.
//!
//! A server that hangs keeps every question, and with it an instance, for as long as it hangs. So it is left alone for a
//! while, and one message finds out whether it is back. But an answer that comes too late for the message which waits
//! for it proves nothing: on a busy machine the answer waits for its turn as everything does. Two rules tell them
//! apart:
//!
//! 1. The counter is left alone when a question was given up, and another that was put after that is given up, too,
//!    and **no** question was answered in between. A burst has answers all the time.
//! 2. Any answer opens the gate: to the question that finds out, to one that was under way when it closed, or to a
//!    call's settlement.
//!
//! One record holds it, and there is none while all is well.

use std::time::Duration;

use octo_core::{KeyValue, StoreError, UnixMillis};
use octo_gateway::breaker::{BreakerState, Cause, Permit, SharedBreaker};
use serde::{Deserialize, Serialize};

/// How long it is left alone at first; twice as long after each question in vain.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Never longer than this: each question may hold an instance until the server wakes.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// An answer that took so long may have come after others gave up.
const SLOW: Duration = Duration::from_millis(50);

/// What is remembered beside the breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Silence {
    /// When a question was last given up; there was no answer since.
    since: Option<UnixMillis>,
}

/// The gate before the Redis server.
#[derive(Debug)]
pub struct CounterGate<'a, K> {
    gate: SharedBreaker<'a, K, Silence>,
}

/// Whether the counter may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may; give this back with the answer.
    Ask(Question),
    /// It gave no answer and is left alone.
    Alone,
}

/// A question to the counter, as it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub(crate) put_at: UnixMillis,
    /// Whether there was nothing to take back.
    all_well: bool,
}

impl<'a, K: KeyValue> CounterGate<'a, K> {
    /// The gate, which is the same for all instances over `store`.
    pub fn new(store: &'a K) -> Self {
        Self { gate: SharedBreaker::new(store, "counter", LONGEST_PAUSE) }
    }

    /// Whether a question may be put at `now`. One read while all is well. When the store of the gate is away, the
    /// counter may still be there.
    pub async fn ask(&self, now: UnixMillis) -> Leave {
        let Ok(state) = self.gate.read().await else {
            return Leave::Ask(Question { put_at: now, all_well: true });
        };
        match self.gate.permit(&state, now).await {
            Ok(Permit::Closed { .. }) => Leave::Alone,
            _ => Leave::Ask(Question { put_at: now, all_well: state == BreakerState::default() }),
        }
    }

    /// The question was answered at `now`. No store call when nobody can have given up meanwhile.
    pub async fn answered(&self, question: Question, now: UnixMillis) {
        if !question.all_well || now.since(question.put_at) >= SLOW {
            self.heard().await;
        }
    }

    /// The counter gave some answer: all is well. One read. That it cannot be noted costs others a pause.
    pub async fn heard(&self) {
        let _ = self.gate.change(|state| *state = BreakerState::default()).await;
    }

    /// A question that was put at `put_at`, or later, was given up at `now`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn given_up(&self, put_at: UnixMillis, now: UnixMillis) -> Result<(), StoreError> {
        let learn = |state: &mut BreakerState<Silence>| match state.note.since {
            // Put before the last was given up, it tells nothing new.
            Some(since) if put_at < since => {}
            Some(_) => {
                let breaker = &mut state.breaker;
                breaker.failures += 1;
                breaker.cause = Cause::Failing;
                breaker.until = Some(now + pause(breaker.failures));
                state.note.since = Some(now);
            }
            None => state.note.since = Some(now),
        };
        self.gate.change(learn).await
    }
}

/// How long the counter is left alone after so many questions in vain, each put after the one before was given up.
fn pause(questions: i64) -> Duration {
    let doublings = u32::try_from(questions - 1).unwrap_or(0).min(8);
    (SHORTEST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use octo_core::testing::{FakeKeyValue, ready};

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn question(store: &FakeKeyValue, now: UnixMillis) -> Question {
        match ready(CounterGate::new(store).ask(now)) {
            Leave::Ask(question) => question,
            Leave::Alone => panic!("it is left alone"),
        }
    }

    fn is_left_alone(store: &FakeKeyValue, now: UnixMillis) -> bool {
        ready(CounterGate::new(store).ask(now)) == Leave::Alone
    }

    fn give_up(store: &FakeKeyValue, put_at: UnixMillis, now: UnixMillis) {
        ready(CounterGate::new(store).given_up(put_at, now)).unwrap();
    }

    /// A counter that has hung for two seconds.
    fn hung() -> FakeKeyValue {
        let store = FakeKeyValue::default();
        give_up(&store, NOW, NOW + SECOND);
        give_up(&store, NOW + SECOND, NOW + 2 * SECOND);
        assert!(is_left_alone(&store, NOW + 2 * SECOND));
        store
    }

    #[test]
    fn while_all_is_well_a_question_costs_one_read() {
        let store = FakeKeyValue::default();
        let question = question(&store, NOW);
        ready(CounterGate::new(&store).answered(question, NOW + Duration::from_millis(49)));
        assert_eq!(store.calls.get(), 1);
        assert!(store.keys().is_empty());
    }

    #[test]
    fn however_many_of_one_burst_give_up_it_is_no_outage() {
        let store = FakeKeyValue::default();
        for late in 0..1_000_u64 {
            // Put at about the same time, given up at about the same time.
            let late = Duration::from_millis(late);
            give_up(&store, NOW + late, NOW + SECOND + late);
            assert!(!is_left_alone(&store, NOW + SECOND + late));
        }
    }

    #[test]
    fn one_answer_between_two_that_were_given_up_keeps_it_open_for_all() {
        let store = FakeKeyValue::default();
        for round in 0..50 {
            let now = NOW + round * SECOND;
            let slow = question(&store, now);
            give_up(&store, now, now + SECOND);
            ready(CounterGate::new(&store).answered(slow, now + SECOND));
            assert!(store.keys().is_empty());
        }
    }

    #[test]
    fn a_second_question_in_vain_after_the_first_closes_it() {
        let store = hung();
        // What others of the same time report changes nothing.
        give_up(&store, NOW + SECOND + SECOND / 2, NOW + 2 * SECOND + SECOND / 2);
        assert!(is_left_alone(&store, NOW + 3 * SECOND - Duration::from_millis(1)));
        question(&store, NOW + 3 * SECOND);
        for _ in 0..100 {
            assert!(is_left_alone(&store, NOW + 3 * SECOND), "one finds out");
        }
    }

    #[test]
    fn any_answer_opens_it() {
        // To the question that finds out,
        let store = hung();
        let probe = question(&store, NOW + 3 * SECOND);
        ready(CounterGate::new(&store).answered(probe, NOW + 3 * SECOND));
        assert!(store.keys().is_empty() && !is_left_alone(&store, NOW + 3 * SECOND));
        // to one that was under way,
        let store = FakeKeyValue::default();
        let under_way = question(&store, NOW);
        give_up(&store, NOW, NOW + SECOND);
        give_up(&store, NOW + SECOND, NOW + 2 * SECOND);
        ready(CounterGate::new(&store).answered(under_way, NOW + 2 * SECOND));
        assert!(!is_left_alone(&store, NOW + 2 * SECOND));
        // or a settlement.
        let store = hung();
        ready(CounterGate::new(&store).heard());
        assert!(!is_left_alone(&store, NOW + 2 * SECOND));
    }

    #[test]
    fn each_question_in_vain_doubles_the_pause_up_to_ten_seconds() {
        let store = hung();
        let mut now = NOW + 2 * SECOND;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let closed_at = now;
            while is_left_alone(&store, now) {
                now = now + Duration::from_millis(100);
            }
            pauses.push(now.since(closed_at).as_secs());
            give_up(&store, now, now + SECOND);
            now = now + SECOND;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn while_its_own_store_is_away_the_counter_is_asked() {
        let store = hung();
        store.down.set(true);
        question(&store, NOW + 2 * SECOND);
        assert!(ready(CounterGate::new(&store).given_up(NOW, NOW)).is_err());
    }
}
