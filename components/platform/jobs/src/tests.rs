//! Jobs on both databases: what is promised, whatever crashes and however many come at the same time.

use octo_core::async_trait;
use octo_core::testing::Locked;
use std::{collections::BTreeMap, sync::atomic::AtomicI64, sync::atomic::Ordering, thread};

use octo_core::{
    Clock, Sql, SqlError, UnixMillis,
    sql::{Migrated, Schema, Step},
    testing::{FakeClock, FakeEntropy, ready},
};
use octo_databases::{Crashing, Database, Recorded, Shared, on_both};
use proptest::prelude::*;
use std::time::Duration;

use crate::*;

const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// What the test's jobs do: one row for each job, in the order of the first deliveries.
const EFFECTS: Schema = Schema {
    name: "effects",
    versions: &[&[Step::Both(
        "CREATE TABLE IF NOT EXISTS effects (at {id}, job BIGINT NOT NULL UNIQUE, args TEXT NOT NULL)",
    )]],
};
const TABLES: &[&Schema] = &[&SCHEMA, &EFFECTS];

/// Writes each job's effect under its number, and replies with its arguments.
struct Effects<'a, S>(&'a S);

#[async_trait]
impl<S: Sql> Worker for Effects<'_, S> {
    async fn perform(&self, job: &Delivery) -> Outcome {
        let statement = "INSERT INTO effects (job, args) VALUES ($1, $2) ON CONFLICT (job) DO NOTHING";
        match self.0.query(statement, &[job.id.into(), job.args.as_str().into()]).await {
            Ok(_) => Outcome::Done(job.args.clone()),
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

fn job<'a>(queue: &'a str, args: &'a str, now: UnixMillis) -> NewJob<'a> {
    NewJob {
        queue,
        kind: "test",
        args,
        line: None,
        unique_key: None,
        correlation_id: None,
        priority: 0,
        scheduled_at: now,
        max_attempts: 1000,
    }
}

/// A migrated database, a clock and a worker.
struct Scene {
    sql: Database,
    clock: FakeClock,
    entropy: FakeEntropy,
}

impl Scene {
    fn new(shared: &Shared) -> Self {
        let sql = shared.connect();
        ready(Migrated::new(&sql, TABLES).apply()).unwrap();
        Self { sql, clock: FakeClock::at(START), entropy: FakeEntropy::default() }
    }

    fn enqueue(&self, new: &NewJob<'_>) -> Enqueued {
        ready(Jobs::new(&self.sql).enqueue(new, self.clock.now())).unwrap()
    }

    fn with<'a, W>(
        &'a self,
        worker: &'a W,
        queues: &[&'a str],
    ) -> Performer<'a, Database, W, FakeClock, FakeEntropy> {
        Performer {
            sql: &self.sql,
            worker,
            queues: queues.to_vec(),
            clock: &self.clock,
            entropy: &self.entropy,
        }
    }

    fn drain(&self, worker: &impl Worker, queues: &[&str]) -> Drained {
        ready(self.with(worker, queues).drain(self.clock.now() + Duration::from_secs(3600))).unwrap()
    }

    fn effects(&self) -> Vec<(i64, String)> {
        ready(self.sql.fetch("SELECT job, args FROM effects ORDER BY at", &[])).unwrap()
    }
}

/// Notes what it is given, and answers what it is told to.
struct Script<'a> {
    answers: &'a (dyn Fn(&Delivery) -> Outcome + Sync),
    seen: Locked<Vec<(String, i64)>>,
}

impl<'a> Script<'a> {
    fn new(answers: &'a (dyn Fn(&Delivery) -> Outcome + Sync)) -> Self {
        Self { answers, seen: Default::default() }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.borrow().iter().map(|(args, _)| args.clone()).collect()
    }
}

#[async_trait]
impl Worker for Script<'_> {
    async fn perform(&self, job: &Delivery) -> Outcome {
        self.seen.borrow_mut().push((job.args.clone(), job.attempt));
        (self.answers)(job)
    }
}

#[test]
fn a_reply_is_read_under_its_correlation_id_and_kept_for_a_day() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let worker = Effects(&scene.sql);
        let new = NewJob { correlation_id: Some("c1"), ..job("q", "{\"n\":1}", START) };
        let jobs = Jobs::new(&scene.sql);
        assert_eq!(ready(jobs.reply("c1")).unwrap(), None);
        scene.enqueue(&new);
        assert_eq!(ready(jobs.reply("c1")).unwrap(), Some(Standing::Waiting));
        assert_eq!(scene.drain(&worker, &["q"]), Drained { performed: 1, failed: 0, more: false });
        assert_eq!(ready(jobs.reply("c1")).unwrap(), Some(Standing::Done("{\"n\":1}".into())));

        scene.clock.advance(sweep::KEPT);
        ready(jobs.sweep(scene.clock.now())).unwrap();
        assert!(ready(jobs.reply("c1")).unwrap().is_some());
        scene.clock.advance(Duration::from_millis(1));
        ready(jobs.sweep(scene.clock.now())).unwrap();
        assert_eq!(ready(jobs.reply("c1")).unwrap(), None);
    });
}

#[test]
fn a_call_is_answered_here_or_by_who_performs_it_and_goes_on_without_its_caller() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let effects = Effects(&scene.sql);
        let wait = Duration::from_secs(2);
        let call = |worker: &(dyn Fn(&Delivery) -> Outcome + Sync), id: &str| {
            let script = Script::new(worker);
            let new =
                NewJob { correlation_id: Some(id), line: Some("l"), ..job("q", "1", scene.clock.now()) };
            ready(scene.with(&script, &["q"]).call(&new, wait)).unwrap().1
        };
        assert_eq!(call(&|_| Outcome::Done("2".into()), "a"), Standing::Done("2".into()));
        assert_eq!(call(&|_| Outcome::Discard("no".into()), "b"), Standing::Discarded("no".into()));
        // It fails the first time, and the caller waits for the second attempt.
        let tries = Locked::new(0);
        let second_time = |_: &Delivery| {
            tries.set(tries.get() + 1);
            if tries.get() > 1 { Outcome::Done("3".into()) } else { Outcome::Retry("not yet".into()) }
        };
        assert_eq!(call(&second_time, "c"), Standing::Done("3".into()));
        // It fails for longer than the caller waits, and is done later.
        assert_eq!(call(&|_| Outcome::Retry("down".into()), "d"), Standing::Waiting);
        scene.clock.advance(Duration::from_secs(60));
        scene.drain(&effects, &["q"]);
        assert_eq!(ready(Jobs::new(&scene.sql).reply("d")).unwrap(), Some(Standing::Done("1".into())));
    });
}

#[test]
fn of_jobs_with_one_unique_key_the_first_is_kept() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let keyed =
            |args| NewJob { unique_key: Some("k"), correlation_id: Some("c"), ..job("q", args, START) };
        assert!(matches!(scene.enqueue(&keyed("1")), Enqueued::New(_)));
        let known = Enqueued::Known { args: "1".into(), correlation_id: Some("c".into()) };
        assert_eq!(scene.enqueue(&keyed("2")), known);
        scene.drain(&Effects(&scene.sql), &["q"]);
        assert_eq!(scene.enqueue(&keyed("3")), known, "done, and still known");
        assert_eq!(scene.effects().len(), 1);
    });
}

#[test]
fn what_fails_is_tried_again_later_and_later_and_then_is_a_dead_letter_that_can_be_replayed_once() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let jobs = Jobs::new(&scene.sql);
        let fails = Script::new(&|_| Outcome::Retry("broken".into()));
        let new = NewJob {
            max_attempts: 3,
            line: Some("l"),
            correlation_id: Some("c"),
            unique_key: Some("k"),
            ..job("q", "1", START)
        };
        scene.enqueue(&new);
        for attempt in 1..=3 {
            assert_eq!(scene.drain(&fails, &["q"]).failed, 1, "attempt {attempt}");
            assert_eq!(scene.drain(&fails, &["q"]).failed, 0, "the pause after attempt {attempt}");
            scene.clock.advance(Duration::from_secs(4));
        }
        assert_eq!(ready(jobs.reply("c")).unwrap(), Some(Standing::Discarded("broken".into())));
        let dead = ready(jobs.dead_letters(None, 0, 10)).unwrap();
        assert_eq!((dead.len(), dead[0].attempts, dead[0].error.as_str()), (1, 3, "broken"));
        assert_eq!(ready(jobs.dead_letters(Some("other"), 0, 10)).unwrap(), []);
        assert_eq!(ready(jobs.dead_letters(Some("q"), dead[0].id, 10)).unwrap(), []);
        let backlog = ready(jobs.backlog()).unwrap();
        assert_eq!((backlog.len(), backlog[0].waiting, backlog[0].dead), (1, 0, 1));

        // Later jobs of its line go on without it, and it is replayed behind them.
        scene.enqueue(&NewJob { line: Some("l"), ..job("q", "2", scene.clock.now()) });
        let now = scene.clock.now();
        assert!(ready(jobs.replay(dead[0].id, now)).unwrap());
        assert!(!ready(jobs.replay(dead[0].id, now)).unwrap(), "only once");
        assert!(!ready(jobs.remove_dead_letter(dead[0].id)).unwrap());
        assert_eq!(ready(jobs.reply("c")).unwrap(), Some(Standing::Waiting));
        assert!(matches!(scene.enqueue(&new), Enqueued::Known { .. }), "its key is still its own");
        let works = Script::new(&|job| Outcome::Done(job.args.clone()));
        scene.drain(&works, &["q"]);
        assert_eq!(works.seen(), ["2", "1"]);
        assert_eq!(ready(jobs.reply("c")).unwrap(), Some(Standing::Done("1".into())));
    });
}

#[test]
fn a_job_that_ends_its_instance_every_time_becomes_a_dead_letter() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.enqueue(&NewJob { max_attempts: 2, ..job("q", "1", START) });
        for _ in 0..2 {
            let claimed = ready(Jobs::new(&scene.sql).claim("q", 10, scene.clock.now())).unwrap();
            assert_eq!(claimed.len(), 1);
            scene.clock.advance(LEASE);
        }
        let never = Script::new(&|_| Outcome::Done("it was performed".into()));
        assert_eq!(scene.drain(&never, &["q"]).failed, 1);
        assert_eq!(never.seen(), Vec::<String>::new());
        assert_eq!(ready(Jobs::new(&scene.sql).dead_letters(None, 0, 10)).unwrap().len(), 1);
    });
}

#[test]
fn no_job_is_begun_when_the_time_is_over() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for args in ["1", "2", "3"] {
            scene.enqueue(&job("q", args, START));
        }
        let takes_a_second = |_: &Delivery| {
            scene.clock.advance(Duration::from_secs(1));
            Outcome::Done("1".into())
        };
        let works = Script::new(&takes_a_second);
        let until = START + Duration::from_millis(1500);
        let drained = ready(scene.with(&works, &["q", "other"]).drain(until)).unwrap();
        assert_eq!((works.seen().len(), drained.more), (2, true));
        assert_eq!(scene.drain(&works, &["q"]).performed, 1, "the third was given back");
    });
}

#[test]
fn queues_are_served_in_turn_and_within_one_by_priority_then_time() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for number in 0..40 {
            scene.enqueue(&job("busy", &format!("busy {number}"), START));
        }
        scene.enqueue(&NewJob { priority: 1, ..job("quiet", "late", START) });
        scene.enqueue(&job("quiet", "first", START));
        scene.enqueue(&NewJob {
            scheduled_at: START + Duration::from_millis(1),
            ..job("quiet", "delayed", START)
        });
        let works = Script::new(&|_| Outcome::Done("1".into()));
        scene.drain(&works, &["busy", "quiet"]);
        let seen = works.seen();
        let of_quiet: Vec<_> = seen.iter().filter(|args| !args.starts_with("busy")).collect();
        assert_eq!(of_quiet, ["first", "late"], "and the delayed one not yet");
        let first = seen.iter().position(|args| args == "first").unwrap();
        assert!(first < 40 && seen.len() == 42, "the quiet queue waits for one batch, not for all: {first}");
        scene.clock.advance(Duration::from_millis(1));
        scene.drain(&works, &["busy", "quiet"]);
        assert_eq!(works.seen().last().unwrap(), "delayed");
    });
}

#[test]
fn a_batch_that_took_too_long_is_given_back_and_a_late_acknowledgement_changes_nothing() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for args in ["1", "2", "3"] {
            scene.enqueue(&NewJob { correlation_id: Some(args), ..job("q", args, START) });
        }
        let jobs = Jobs::new(&scene.sql);
        let slow = ready(jobs.claim("q", 1, scene.clock.now())).unwrap().remove(0);
        // Anyone who has the newest attempt decides.
        let again = ready(jobs.claim_one(slow.id, scene.clock.now() + LEASE)).unwrap().unwrap();
        ready(jobs.complete(&[(slow, "late".into())], scene.clock.now())).unwrap();
        assert_eq!(ready(jobs.reply("1")).unwrap(), Some(Standing::Waiting));
        ready(jobs.complete(&[(again, "right".into())], scene.clock.now())).unwrap();
        assert_eq!(ready(jobs.reply("1")).unwrap(), Some(Standing::Done("right".into())));

        scene.clock.advance(LEASE * 2);
        let clock = &scene.clock;
        let for_long = |_: &Delivery| {
            clock.advance(LEASE / 2);
            Outcome::Done("1".into())
        };
        let takes_long = Script::new(&for_long);
        let drained = scene.drain(&takes_long, &["q"]);
        assert_eq!((drained.performed, drained.failed), (2, 0));
        assert_eq!(takes_long.seen(), ["2", "3"]);
    });
}

/// A table whose rows are jobs' causes: the trigger enqueues in the same statement.
const OUTBOX: Schema = Schema {
    name: "outbox",
    versions: &[&[
        Step::Both("CREATE TABLE IF NOT EXISTS causes (name TEXT NOT NULL UNIQUE)"),
        Step::Trigger {
            name: "causes_enqueue",
            event: "AFTER INSERT ON causes",
            when: None,
            body: "INSERT INTO jobs (queue, kind, args, visible_at, created_at)
                VALUES ('q', 'caused', NEW.name, 0, 0);",
        },
    ]],
};

#[test]
fn a_job_is_enqueued_in_the_statement_of_its_cause() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        ready(Migrated::new(&scene.sql, &[&SCHEMA, &OUTBOX]).apply()).unwrap();
        let cause = |name: &str| ready(scene.sql.query("INSERT INTO causes VALUES ($1)", &[name.into()]));
        cause("a").unwrap();
        assert!(matches!(cause("a"), Err(SqlError::Conflict(_))), "no cause, no job");
        let works = Script::new(&|_| Outcome::Done("1".into()));
        scene.drain(&works, &["q"]);
        assert_eq!(works.seen(), ["a"]);
        // Nobody can ask for it, so it is gone.
        let left: Vec<(i64,)> = ready(scene.sql.fetch("SELECT COUNT(*) FROM jobs", &[])).unwrap();
        assert_eq!(left, [(0,)]);
    });
}

#[test]
fn an_index_serves_every_statement() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let sql = Recorded::new(shared.connect());
        let jobs = Jobs::new(&sql);
        let keyed = NewJob {
            unique_key: Some("k"),
            line: Some("l"),
            correlation_id: Some("c"),
            ..job("q", "1", START)
        };
        let fails = Script::new(&|job| {
            if job.attempt < 2 { Outcome::Retry("x".into()) } else { Outcome::Discard("y".into()) }
        });
        let works = Script::new(&|_| Outcome::Done("1".into()));
        let drain = |worker| {
            let performer = Performer {
                sql: &sql,
                worker,
                queues: vec!["q"],
                clock: &scene.clock,
                entropy: &scene.entropy,
            };
            ready(performer.drain(scene.clock.now() + Duration::from_millis(1))).unwrap();
            ready(performer.call(&keyed, Duration::ZERO)).unwrap();
        };
        drain(&fails);
        scene.clock.advance(Duration::from_secs(9));
        drain(&fails);
        ready(jobs.enqueue(&job("q", "2", START), START)).unwrap();
        drain(&works);
        let released = job("q", "3", START);
        ready(jobs.enqueue(&released, START)).unwrap();
        for job in ready(jobs.claim("q", 1, scene.clock.now())).unwrap() {
            ready(jobs.release(&job, scene.clock.now())).unwrap();
        }
        let dead = ready(jobs.dead_letters(Some("q"), 0, 10)).unwrap();
        ready(jobs.replay(dead[0].id, START)).unwrap();
        ready(jobs.remove_dead_letter(dead[0].id)).unwrap();
        ready(jobs.backlog()).unwrap();
        ready(jobs.sweep(START)).unwrap();
        let statements = sql.statements();
        assert!(statements.len() >= 14, "{statements:#?}");
        for (statement, parameters) in statements {
            scene.sql.expect_index(&statement, parameters);
        }
    });
}

#[derive(Clone, Debug)]
enum Move {
    Enqueue {
        queue: u8,
        line: Option<u8>,
        key: Option<u8>,
    },
    /// An instance drains and is cut off after so many statements.
    Crash {
        statements: u32,
        last_is_carried_out: bool,
    },
    Drain,
    Wait {
        seconds: u64,
    },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        4 => (0..3_u8, proptest::option::of(0..3_u8), proptest::option::of(0..6_u8))
            .prop_map(|(queue, line, key)| Move::Enqueue { queue, line, key }),
        3 => (0..12_u32, any::<bool>())
            .prop_map(|(statements, last_is_carried_out)| Move::Crash { statements, last_is_carried_out }),
        1 => Just(Move::Drain),
        2 => (0..40_u64).prop_map(|seconds| Move::Wait { seconds }),
    ];
    proptest::collection::vec(step, 1..40)
}

const QUEUES: [&str; 3] = ["0", "1", "2"];

fn holds_whatever_crashes(shared: &Shared, moves: &[Move]) {
    let scene = Scene::new(shared);
    for table in ["jobs", "effects"] {
        ready(scene.sql.query(&format!("DELETE FROM {table}"), &[])).unwrap();
    }
    let mut lines: BTreeMap<i64, Option<u8>> = BTreeMap::new();
    let mut keys = std::collections::BTreeSet::new();
    for next in moves {
        match next {
            Move::Enqueue { queue, line, key } => {
                let line_name = line.map(|line| line.to_string());
                let key_name = key.map(|key| key.to_string());
                let new = NewJob {
                    line: line_name.as_deref(),
                    unique_key: key_name.as_deref(),
                    ..job(QUEUES[usize::from(*queue)], "1", scene.clock.now())
                };
                let is_first = key.is_none_or(|key| keys.insert(key));
                match scene.enqueue(&new) {
                    Enqueued::New(id) if is_first => drop(lines.insert(id, *line)),
                    Enqueued::Known { .. } if !is_first => {}
                    other => panic!("{other:?}, the first: {is_first}"),
                }
            }
            Move::Crash { statements, last_is_carried_out } => {
                let sql = Crashing::after(shared.connect(), *statements, *last_is_carried_out);
                let performer = Performer {
                    sql: &sql,
                    worker: &Effects(&sql),
                    queues: QUEUES.to_vec(),
                    clock: &scene.clock,
                    entropy: &scene.entropy,
                };
                let _ = ready(performer.drain(scene.clock.now() + Duration::from_millis(1)));
            }
            Move::Drain => drop(scene.drain(&Effects(&scene.sql), &QUEUES)),
            Move::Wait { seconds } => scene.clock.advance(Duration::from_secs(*seconds)),
        }
    }
    while ready(Jobs::new(&scene.sql).backlog()).unwrap().iter().any(|queue| queue.waiting > 0) {
        scene.clock.advance(LEASE * 2);
        scene.drain(&Effects(&scene.sql), &QUEUES);
    }
    expect_once_and_in_order(&scene.effects(), &lines);
}

/// Every job had its effect once, and those of a line in the order in which they were enqueued.
fn expect_once_and_in_order(effects: &[(i64, String)], lines: &BTreeMap<i64, Option<u8>>) {
    let order: Vec<i64> = effects.iter().map(|(job, _)| *job).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, lines.keys().copied().collect::<Vec<_>>());
    for line in lines.values().flatten() {
        let of_line: Vec<_> = order.iter().filter(|job| lines[*job] == Some(*line)).collect();
        assert!(of_line.is_sorted(), "line {line}: {of_line:?}");
    }
}

#[test]
fn effects_happen_once_and_in_line_wherever_instances_are_cut_off() {
    for (shared, cases) in [(Shared::sqlite(), 200), (Shared::postgres(), 60)] {
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(cases));
        let run = |moves: Vec<Move>| {
            holds_whatever_crashes(&shared, &moves);
            Ok(())
        };
        runner.run(&moves(), run).unwrap();
    }
}

/// A clock that instances on several threads share.
struct SharedClock<'a>(&'a AtomicI64);

#[async_trait]
impl Clock for SharedClock<'_> {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}

#[test]
fn instances_that_drain_at_once_and_are_cut_off_now_and_then_do_every_job_once_and_in_line() {
    const JOBS: i64 = 240;
    on_both(|shared| {
        let scene = Scene::new(shared);
        let mut lines = BTreeMap::new();
        for number in 0..JOBS {
            let line = (number % 2 == 0).then_some((number / 2 % 7) as u8);
            let name = line.map(|line| line.to_string());
            let new = NewJob { line: name.as_deref(), ..job(QUEUES[(number % 3) as usize], "1", START) };
            let Enqueued::New(id) = scene.enqueue(&new) else { panic!("it has no key") };
            lines.insert(id, line);
        }
        let clock = AtomicI64::new(START.0);
        thread::scope(|scope| {
            for instance in 0..4_u32 {
                let clock = SharedClock(&clock);
                scope.spawn(move || {
                    for life in 0.. {
                        // Each life is longer than the one before, so that the work ends.
                        let cut_off_after = 3 + instance + 5 * life;
                        let sql = Crashing::after(shared.connect(), cut_off_after, life % 2 == 0);
                        let entropy = FakeEntropy::default();
                        let performer = Performer {
                            sql: &sql,
                            worker: &Effects(&sql),
                            queues: QUEUES.to_vec(),
                            clock: &clock,
                            entropy: &entropy,
                        };
                        if let Ok(Drained { more: false, .. }) = ready(performer.drain(UnixMillis(i64::MAX)))
                        {
                            break;
                        }
                        clock.0.fetch_add(10, Ordering::SeqCst);
                    }
                });
            }
        });
        scene.clock.advance(LEASE * 10);
        while ready(Jobs::new(&scene.sql).backlog()).unwrap().iter().any(|queue| queue.waiting > 0) {
            scene.drain(&Effects(&scene.sql), &QUEUES);
            scene.clock.advance(LEASE * 2);
        }
        expect_once_and_in_order(&scene.effects(), &lines);
    });
}
