use octo_core::async_trait;
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use octo_core::{
    SqlValue,
    sql::{Dialect, Migrated, Row},
    testing::ready,
};
use octo_databases::{Database, Shared, Sqlite, on_both};
use proptest::prelude::*;

use super::*;
use crate::sign_on::TABLES;

const START: UnixMillis = UnixMillis(1_800_000_000_000);

struct Scene {
    sql: Database,
    now: UnixMillis,
}

impl Scene {
    fn new(shared: &Shared) -> Self {
        Self { sql: shared.connect(), now: START }
    }

    fn in_memory() -> Self {
        Self { sql: Database::Sqlite(Sqlite::in_memory()), now: START }
    }

    fn throttled<T>(&self, ask: impl AsyncFnOnce(Throttle<'_, Migrated<'_, Database>>) -> T) -> T {
        let sql = Migrated::new(&self.sql, TABLES);
        ready(ask(Throttle::new(&sql)))
    }

    fn begin(&self, whose: &str, source: &str) -> Result<Permit, Wait> {
        self.begin_for(Purpose::Login, whose, source)
    }

    fn begin_for(&self, purpose: Purpose, whose: &str, source: &str) -> Result<Permit, Wait> {
        let attempt = Attempt { purpose, whose, source };
        self.throttled(async |throttle| throttle.begin(&attempt, self.now).await).unwrap()
    }

    fn prove(&self, permit: &Permit) {
        self.throttled(async |throttle| throttle.proven(permit, self.now).await).unwrap();
    }

    fn log_in(&self, whose: &str, source: &str) -> Result<(), Wait> {
        self.begin(whose, source).map(|permit| self.prove(&permit))
    }

    fn register(&self, source: &str) -> Result<Permit, Wait> {
        self.throttled(async |throttle| throttle.register(source, self.now).await).unwrap()
    }

    /// Sweeps until there is no more.
    fn sweep(&self) {
        while self.throttled(async |throttle| throttle.sweep(self.now).await).unwrap() {}
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn rows(&self) -> usize {
        ready(self.sql.query("SELECT key FROM throttle", &[])).unwrap().len()
    }
}

/// A database as one of many instances sees it: each statement waits for its turn.
struct Interleaved<'a>(&'a Database);

#[async_trait]
impl Sql for Interleaved<'_> {
    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    async fn query(&self, statement: &str, parameters: &[SqlValue]) -> Result<Vec<Row>, SqlError> {
        let mut waited = false;
        poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        self.0.query(statement, parameters).await
    }
}

type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Takes all tasks from statement to statement in this order; what became of each.
fn interleaved<T>(tasks: Vec<Task<'_, T>>, order: &[usize]) -> Vec<T> {
    let mut done: Vec<Option<T>> = tasks.iter().map(|_| None).collect();
    let mut tasks: Vec<_> = tasks.into_iter().enumerate().collect();
    let mut order = order.iter().cycle();
    while !tasks.is_empty() {
        let next = order.next().unwrap() % tasks.len();
        let (number, task) = &mut tasks[next];
        if let Poll::Ready(result) = task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            done[*number] = Some(result);
            drop(tasks.swap_remove(next));
        }
    }
    done.into_iter().map(Option::unwrap).collect()
}

/// What becomes of these attempts at once, each at an account from a source.
fn at_once(scene: &Scene, attempts: &[(&str, &str)], order: &[usize]) -> Vec<Result<Permit, Wait>> {
    // So that the tables are there.
    scene.sweep();
    let sql = &Interleaved(&scene.sql);
    let task = |(whose, source): &(&str, &str)| -> Task<'_, Result<Permit, Wait>> {
        let (whose, source) = (whose.to_string(), source.to_string());
        Box::pin(async move {
            let attempt = Attempt { purpose: Purpose::Login, whose: &whose, source: &source };
            Throttle::new(sql).begin(&attempt, scene.now).await.unwrap()
        })
    };
    interleaved(attempts.iter().map(task).collect(), order)
}

#[test]
fn an_account_hears_one_new_source_six_times_and_then_once_every_five_minutes() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        for _ in 0..6 {
            assert!(scene.begin("ada", "there").is_ok());
        }
        for _ in 0..3 {
            let wait = Duration::from_secs(300);
            assert_eq!(scene.begin("ada", "there"), Err(Wait(scene.now + wait)));
            scene.pass(wait - Duration::from_millis(1));
            assert!(scene.begin("ada", "there").is_err());
            scene.pass(Duration::from_millis(1));
            assert!(scene.begin("ada", "there").is_ok());
        }
        scene.pass(Duration::from_secs(300));
        assert!(scene.log_in("ada", "there").is_ok());
        assert!(scene.log_in("ada", "there").is_ok(), "the right password ends the delay");
    });
}

#[test]
fn names_may_be_asked_for_two_hundred_times_from_one_source_and_then_every_half_minute() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        for _ in 0..200 {
            assert!(scene.register("there").is_ok());
        }
        for _ in 0..3 {
            let wait = Duration::from_secs(30);
            assert_eq!(scene.register("there"), Err(Wait(scene.now + wait)));
            assert!(scene.register("elsewhere").is_ok());
            scene.pass(wait);
            assert!(scene.register("there").is_ok());
        }
        assert!(scene.log_in("ada", "there").is_ok(), "logins are counted for themselves");
        for _ in 0..200 {
            assert!(scene.register("").is_ok());
        }
        assert!(scene.register("").is_err(), "what is not known is one source");
    });
}

#[test]
fn one_source_cannot_try_everybody() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        for number in 0..50 {
            assert!(scene.begin(&format!("user {number}"), "there").is_ok());
        }
        assert_eq!(scene.begin("one more", "there"), Err(Wait(START + Duration::from_secs(60))));
        assert!(scene.begin("one more", "elsewhere").is_ok());
        // An account of his own does not wash his slate.
        scene.pass(Duration::from_secs(60));
        assert!(scene.log_in("himself", "there").is_ok());
        assert!(scene.log_in("himself", "there").is_ok());
        assert!(scene.begin("another", "there").is_ok());
        assert!(scene.begin("a third", "there").is_err());
    });
}

#[test]
fn one_account_hears_new_sources_twenty_times_one_after_the_other_or_at_once() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let heard = (0..60).filter(|place| scene.begin("ada", &format!("place {place}")).is_ok()).count();
        assert_eq!(heard, 20);

        let places: Vec<String> = (0..60).map(|place| format!("place {place}")).collect();
        let attempts: Vec<_> = places.iter().map(|place| ("bob", place.as_str())).collect();
        let heard = at_once(&scene, &attempts, &[0, 3, 1, 7, 2]);
        assert_eq!(heard.iter().filter(|heard| heard.is_ok()).count(), 20);
    });
}

#[test]
fn on_postgres_instances_at_once_are_heard_no_more_often() {
    let shared = Shared::postgres();
    Scene::new(&shared).sweep();
    let heard = |who: &'static str, places: usize| -> usize {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..32)
                .map(|thread| {
                    let shared = &shared;
                    scope.spawn(move || {
                        let scene = Scene::new(shared);
                        let heard = |attempt: &usize| {
                            let place = format!("place {}", (thread + attempt * 32) % places);
                            scene.begin(who, &place).is_ok()
                        };
                        (0..6).filter(heard).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    };
    for (who, places, most) in [("ada", 1, 6), ("bob", 8, 20), ("cleo", 16, 20), ("dan", 32, 20)] {
        assert_eq!(heard(who, places), most, "{places} places");
    }
}

#[test]
fn an_owner_known_at_a_place_is_not_bothered_by_others() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        scene.log_in("ada", "home").unwrap();
        for _ in 0..2 {
            for source in 0..200 {
                let _heard = scene.begin("ada", &format!("bot {source}"));
                let _heard = scene.begin(&format!("somebody {source}"), "home");
            }
            assert!(scene.log_in("ada", "home").is_ok());
            scene.pass(PROOF - KEPT);
            scene.sweep();
        }
    });
}

#[test]
fn an_owner_may_log_in_many_times_at_once_where_he_is_known() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.log_in("ada", "home").unwrap();
        let permits: Vec<_> = (0..50).map(|_| scene.begin("ada", "home").unwrap()).collect();
        assert!(scene.begin("ada", "home").is_err(), "he too can be a guesser");
        permits.iter().for_each(|permit| scene.prove(permit));
        scene.begin("ada", "home").unwrap();
    });
}

#[test]
fn a_thiefs_confirmations_and_an_owners_logins_do_not_hold_each_other_up() {
    on_both(|shared| {
        for (wrong, right) in
            [(Purpose::Confirmation, Purpose::Login), (Purpose::Login, Purpose::Confirmation)]
        {
            let scene = Scene::new(shared);
            let whose = format!("ada, {wrong:?}");
            for attempt in 0..60 {
                let _heard = scene.begin_for(wrong, &whose, &format!("thief {}", attempt % 20));
            }
            assert!(scene.begin_for(wrong, &whose, "home").is_err());
            assert!(scene.begin_for(right, &whose, "home").is_ok());
            assert!(scene.begin_for(right, &whose, "thief 0").is_ok());
        }
    });
}

#[test]
fn a_refused_attempt_leaves_nothing_behind() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for number in 0..50 {
            scene.begin(&format!("user {number}"), "there").unwrap();
        }
        for number in 0..200 {
            let _register = scene.register("there");
            let _heard = scene.begin("ada", &format!("place {number}"));
        }
        let rows = scene.rows();
        // The source; of each of its accounts the pair and the account; the registrations; ada's; and two for each place
        // that was heard.
        assert_eq!(rows, 1 + 2 * 50 + 1 + 1 + 2 * 20);
        for number in 0..500 {
            scene.begin(&format!("somebody {number}"), "there").unwrap_err();
            scene.begin("ada", &format!("elsewhere {number}")).unwrap_err();
            scene.register("there").unwrap_err();
        }
        assert_eq!(scene.rows(), rows);
    });
}

#[test]
fn attempts_at_once_that_are_refused_leave_nothing_behind() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let names: Vec<String> = (0..100).map(|number| format!("user {number}")).collect();
        let attempts: Vec<_> = names.iter().map(|name| (name.as_str(), "there")).collect();
        let heard = at_once(&scene, &attempts, &[0]);
        assert_eq!(heard.iter().filter(|heard| heard.is_ok()).count(), 50);
        assert_eq!(scene.rows(), 1 + 2 * 50);
    });
}

#[test]
fn what_is_over_is_swept_without_an_attempt() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        scene.log_in("ada", "home").unwrap();
        for number in 0..30 {
            scene.begin(&format!("user {number}"), "there").unwrap();
            scene.register(&format!("place {number}")).unwrap();
        }
        let full = scene.rows();
        scene.sweep();
        assert_eq!(scene.rows(), full);
        scene.pass(Duration::from_secs(30 * 60) + KEPT + Duration::from_millis(1));
        scene.sweep();
        assert_eq!(scene.rows(), 1, "the place where ada is known");
        scene.pass(PROOF);
        scene.sweep();
        assert_eq!(scene.rows(), 0);
    });
}

/// An attack before and while the owner of an account waits as told; how often she is told to wait.
fn waits(before: usize, own: usize, meanwhile: usize, pauses: &[u64]) -> Result<usize, TestCaseError> {
    let mut scene = Scene::in_memory();
    let attack = |scene: &mut Scene, round: usize, attempts: usize| {
        for bot in 0..attempts {
            let _heard = scene.begin("ada", &format!("bot {round}.{bot}"));
            scene.pass(Duration::from_millis(pauses[bot % pauses.len()]));
        }
    };
    attack(&mut scene, 0, before);
    for _ in 0..own {
        let _mistyped = scene.begin("ada", "a new place");
    }
    let mut waits = 0;
    while let Err(wait @ Wait(until)) = scene.log_in("ada", "a new place") {
        prop_assert!(until > scene.now);
        prop_assert!(until.since(scene.now) <= PAIR.every + ROUND);
        // She reads it in whole seconds, and comes when it is time. The attack goes on meanwhile, and once more just before.
        let told = scene.now + Duration::from_secs(wait.seconds(scene.now));
        for round in [2 * waits + 1, 2 * waits + 2] {
            attack(&mut scene, round, meanwhile);
            scene.now = told;
        }
        waits += 1;
        prop_assert!(waits <= 2, "still waiting");
    }
    Ok(waits)
}

#[test]
fn the_owner_who_was_never_heard_once_is() {
    assert_eq!(waits(15, 5, 0, &[0]).unwrap(), 1);
    assert_eq!(waits(25, 5, 60, &[0]).unwrap(), 1);
    assert_eq!(waits(0, 9, 60, &[0]).unwrap(), 2);
}

#[test]
fn every_source_has_a_turn_in_every_round_and_none_at_first() {
    let schedules =
        (0..600).map(|number| Schedule { since: START, offset: offset("ada", &number.to_string()) });
    for schedule in schedules {
        let first = schedule.turn_at(START);
        assert!(first >= START + LEAD && first + TURN_LASTS <= START + ROUND);
        let last = UnixMillis((first + TURN_LASTS).0 - 1);
        assert_eq!((schedule.turn_at(first), schedule.turn_at(last)), (first, last));
        assert_eq!(schedule.turn_at(first + TURN_LASTS), first + ROUND);
        assert_eq!(schedule.turn_at(first + ROUND * 7), first + ROUND * 7);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever others do meanwhile, from wherever: who waits as told is heard, the second time at the latest.
    #[test]
    fn the_right_password_works_after_the_delay(
        before in 0..60_usize,
        own in 0..9_usize,
        meanwhile in 0..60_usize,
        pauses in prop::collection::vec(0..20_000_u64, 1..4),
    ) {
        waits(before, own, meanwhile, &pauses)?;
    }

    /// However many attempts are made, whenever and from wherever: no bucket is overdrawn.
    #[test]
    fn a_guesser_is_heard_seldom(
        attempts in prop::collection::vec((0..12_u8, 0..90_000_u64), 1..150),
        sources in 1..12_u8,
    ) {
        let mut scene = Scene::in_memory();
        let mut heard = vec![0; sources.into()];
        for (source, pause) in attempts {
            let source = source % sources;
            heard[usize::from(source)] += i64::from(scene.begin("ada", &source.to_string()).is_ok());
            scene.pass(Duration::from_millis(pause));
        }
        let passed = scene.now.since(START);
        let allowed = |limit: Limit| limit.at_once + millis(passed) / millis(limit.every);
        for heard in &heard {
            prop_assert!(*heard <= allowed(PAIR));
        }
        let turns = i64::from(sources) * (millis(passed) / millis(ROUND) + 1);
        prop_assert!(heard.iter().sum::<i64>() <= allowed(ACCOUNT) + turns);
    }

    /// An account of his own, however long its logins take, gives a guesser no more attempts at others.
    #[test]
    fn right_passwords_give_back_no_more_than_they_took(
        steps in prop::collection::vec((any::<bool>(), 0..90_000_u64), 1..200),
    ) {
        let mut scene = Scene::in_memory();
        let mut heard = 0;
        for (number, (own, pause)) in steps.into_iter().enumerate() {
            if own {
                // Each of them new: where the password is proven the source is not asked.
                let permit = scene.begin(&format!("own {number}"), "there");
                scene.pass(Duration::from_millis(pause));
                permit.iter().for_each(|permit| scene.prove(permit));
            } else {
                heard += i64::from(scene.begin(&format!("user {number}"), "there").is_ok());
                scene.pass(Duration::from_millis(pause / 100));
            }
        }
        let passed = millis(scene.now.since(START));
        prop_assert!(heard <= SOURCE.at_once + passed / millis(SOURCE.every));
    }

    /// In whatever order their statements come, attempts at once overdraw no bucket, and none is refused for which all of
    /// its buckets had a token.
    #[test]
    fn attempts_at_once_are_heard_as_often_as_one_after_the_other(
        sources in prop::collection::vec(0..10_usize, 1..70),
        order in prop::collection::vec(any::<usize>(), 1..200),
    ) {
        let places: Vec<String> = (0..10).map(|place| format!("place {place}")).collect();
        let attempts: Vec<_> = sources.iter().map(|place| ("ada", places[*place].as_str())).collect();
        let one_by_one = Scene::in_memory();
        let in_turn =
            attempts.iter().filter(|(whose, source)| one_by_one.begin(whose, source).is_ok()).count();
        let scene = Scene::in_memory();
        let heard = at_once(&scene, &attempts, &order);
        let heard_of = |place: &str| {
            let heard = attempts.iter().zip(&heard).filter(|((_, source), heard)| *source == place && heard.is_ok());
            heard.count()
        };
        for place in &places {
            prop_assert!(heard_of(place) <= 6);
        }
        prop_assert_eq!(heard.iter().filter(|heard| heard.is_ok()).count(), in_turn);
    }

    /// 190 registrations at once are 190, in whatever order their statements come.
    #[test]
    fn registrations_at_once_are_not_refused_while_there_are_some_left(
        order in prop::collection::vec(any::<usize>(), 1..200),
    ) {
        let scene = Scene::in_memory();
        scene.sweep();
        let sql = Interleaved(&scene.sql);
        let task = |_| -> Task<'_, bool> {
            Box::pin(async { Throttle::new(&sql).register("a school", START).await.unwrap().is_ok() })
        };
        let permitted = interleaved((0..190).map(task).collect(), &order);
        prop_assert!(permitted.iter().all(|permitted| *permitted));
        let permitted = interleaved((0..30).map(task).collect(), &order);
        prop_assert_eq!(permitted.iter().filter(|permitted| **permitted).count(), 10);
    }
}
