use octo_core::testing::ready;
use proptest::prelude::*;

use super::*;
use crate::sign_on::TABLES;
use octo_core::sql::Migrated;
use octo_databases::{Database, Shared, Sqlite, on_both};

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

    fn begin(&self, who: &str, source: &str) -> Result<Turn, Wait> {
        ready(Throttle::new(&Migrated::new(&self.sql, TABLES)).begin(who, source, self.now)).unwrap()
    }

    fn prove(&self, turn: &Turn) {
        ready(Throttle::new(&Migrated::new(&self.sql, TABLES)).proven(turn)).unwrap();
    }

    fn log_in(&self, who: &str, source: &str) -> Result<(), Wait> {
        self.begin(who, source).map(|turn| self.prove(&turn))
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    fn rows(&self) -> usize {
        ready(self.sql.query("SELECT key FROM login_attempts", &[])).unwrap().len()
    }
}

#[test]
fn delays_begin_after_the_free_attempts_and_double() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        for _ in 0..PAIR.free {
            assert!(scene.begin("ada", "there").is_ok());
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert!(scene.begin("ada", "there").is_ok());
            let wait = Duration::from_secs(seconds);
            assert_eq!(scene.begin("ada", "there"), Err(Wait(scene.now + wait)));
            scene.pass(wait - Duration::from_millis(1));
            assert!(scene.begin("ada", "there").is_err());
            scene.pass(Duration::from_millis(1));
        }
        assert!(scene.log_in("ada", "there").is_ok());
        assert!(scene.log_in("ada", "there").is_ok(), "the right password ends the delay");
    });
}

#[test]
fn registrations_are_slowed_down_at_their_source_alone() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        let register = |scene: &Scene, source: &str| {
            ready(Throttle::new(&Migrated::new(&scene.sql, TABLES)).register(source, scene.now)).unwrap()
        };
        for _ in 0..=REGISTRATION.free {
            assert!(register(&scene, "there").is_ok());
        }
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(register(&scene, "there"), Err(Wait(scene.now + wait)));
            assert!(register(&scene, "elsewhere").is_ok());
            scene.pass(wait);
            assert!(register(&scene, "there").is_ok());
        }
        assert!(scene.log_in("ada", "there").is_ok(), "logins are counted for themselves");
        for _ in 0..1000 {
            assert!(register(&scene, "").is_ok(), "nobody knows who that is");
        }
    });
}

#[test]
fn one_source_cannot_try_everybody() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        for number in 0..SOURCE.free {
            assert!(scene.begin(&format!("user {number}"), "there").is_ok());
        }
        assert!(scene.begin("one more", "there").is_ok());
        assert!(scene.begin("yet one more", "there").is_err());
        assert!(scene.begin("yet one more", "elsewhere").is_ok());
        // An account of his own does not wash his slate.
        scene.pass(Duration::from_secs(1));
        assert!(scene.log_in("himself", "there").is_ok());
        assert!(scene.begin("another", "there").is_err() || scene.begin("a third", "there").is_err());
    });
}

#[test]
fn an_owner_known_at_a_place_is_not_bothered_by_others() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        scene.log_in("ada", "home").unwrap();
        for source in 0..1000 {
            let _heard = scene.begin("ada", &format!("bot {source}"));
        }
        assert!(scene.log_in("ada", "home").is_ok());
        scene.pass(PROOF - MEMORY);
        for source in 0..1000 {
            let _heard = scene.begin("ada", &format!("bot {source}"));
        }
        assert!(scene.log_in("ada", "home").is_ok());
    });
}

#[test]
fn an_owner_may_log_in_many_times_at_once_where_he_is_known() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.log_in("ada", "home").unwrap();
        let turns: Vec<_> = (0..PAIR.free + TRUST).map(|_| scene.begin("ada", "home").unwrap()).collect();
        scene.begin("ada", "home").unwrap();
        assert!(scene.begin("ada", "home").is_err(), "he too can be a guesser");
        turns.iter().for_each(|turn| scene.prove(turn));
        scene.begin("ada", "home").unwrap();
    });
}

#[test]
fn what_is_over_leaves_nothing_behind() {
    on_both(|shared| {
        let mut scene = Scene::new(shared);
        for number in 0..30 {
            scene.begin(&format!("user {number}"), "there").unwrap();
        }
        assert_eq!(scene.rows(), 61);
        scene.pass(MEMORY + Duration::from_millis(1));
        for _ in 0..10 {
            let _turn = scene.begin("ada", "there");
        }
        assert_eq!(scene.rows(), 3);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever others do meanwhile, from wherever: who waits as told is heard.
    #[test]
    fn the_right_password_works_after_the_delay(
        before in 0..60_usize,
        own in 0..9_usize,
        meanwhile in 0..60_usize,
    ) {
        let mut scene = Scene::in_memory();
        let attack = |scene: &Scene, round: usize, attempts: usize| {
            for bot in 0..attempts {
                let _heard = scene.begin("ada", &format!("bot {round}.{bot}"));
            }
        };
        attack(&scene, 0, before);
        for _ in 0..own {
            let _mistyped = scene.begin("ada", "a new place");
        }
        let mut waits = 0;
        while let Err(Wait(until)) = scene.log_in("ada", "a new place") {
            prop_assert!(until > scene.now);
            prop_assert!(until.since(scene.now) <= PAIR.longest.max(ACCOUNT.longest));
            attack(&scene, waits + 1, meanwhile);
            scene.now = until;
            waits += 1;
            // Others can raise what a new place waits after its first knock, so a round or two may be added until
            // that is at its longest; never more.
            prop_assert!(waits <= 12, "still waiting");
        }
    }

    /// However many attempts are made, and whenever: a pair is heard no more often than its policy says.
    #[test]
    fn a_guesser_is_heard_seldom(pauses in prop::collection::vec(0..4000_u64, 1..80)) {
        let mut scene = Scene::in_memory();
        let mut heard = 0;
        for pause in &pauses {
            heard += i64::from(scene.begin("ada", "there").is_ok());
            scene.pass(Duration::from_millis(*pause));
        }
        let passed = scene.now.since(START);
        let mut allowed = PAIR.free;
        let mut spent = Duration::ZERO;
        while spent <= passed {
            allowed += 1;
            spent += PAIR.delay(allowed);
        }
        prop_assert!(heard <= allowed, "{heard} of {} in {passed:?}", pauses.len());
    }
}
