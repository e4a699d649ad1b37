//! Random histories: notifications that are sent twice, delivered twice, late and out of turn, by instances that crash
//! between any two steps, while the accounts come and go.

use octo_core::async_trait;
use octo_core::testing::Locked;
use std::{collections::BTreeMap, time::Duration};

use octo_core::sql::Migrated;
use octo_databases::{Shared, on_both};
use octo_jobs::{Delivery, LEASE, Outcome, Performer, Worker};
use proptest::{prelude::*, test_runner::TestRunner};

use super::instance::{USERS, World};
use crate::{Consumer, Event, Notification, Refusal, Reply, Status, fold, schema::SCHEMA};

/// What the clients, the instances and the world do. `cut`: after how many steps the instance crashes. Subscriptions
/// are counted from 0, in the order in which they were bought.
#[derive(Clone, Debug)]
enum Act {
    /// A client publishes, with a key if it may publish the same again.
    Publish { notification: Notification, key: Option<u8>, cut: Option<usize> },
    /// An instance performs what is due.
    Drain { cut: Option<usize> },
    /// One that was slow performs a notification that was delivered to it long ago, and maybe to others since.
    Late { delivery: prop::sample::Index, cut: Option<usize> },
    /// The accounts go, or come back.
    Accounts { down: bool },
    /// A user deletes the account.
    Delete { user_id: i64 },
    /// Time passes.
    Pass { seconds: u64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let notification = prop_oneof![
        (1..=3_i64).prop_map(|user_id| Notification::Purchased { user_id }),
        (0..4_i64).prop_map(|subscription_id| Notification::Canceled { subscription_id }),
        (0..4_i64).prop_map(|subscription_id| Notification::Restarted { subscription_id }),
    ];
    let cut = || prop_oneof![Just(None), (0..40_usize).prop_map(Some)];
    let act = prop_oneof![
        6 => (notification, prop::option::of(0..4_u8), cut())
            .prop_map(|(notification, key, cut)| Act::Publish { notification, key, cut }),
        2 => cut().prop_map(|cut| Act::Drain { cut }),
        2 => (any::<prop::sample::Index>(), cut()).prop_map(|(delivery, cut)| Act::Late { delivery, cut }),
        1 => any::<bool>().prop_map(|down| Act::Accounts { down }),
        1 => (1..=3_i64).prop_map(|user_id| Act::Delete { user_id }),
        2 => (0..LEASE.as_secs() * 2).prop_map(|seconds| Act::Pass { seconds }),
    ];
    prop::collection::vec(act, 1..40)
}

/// A worker that remembers what was delivered to it, and what it replied.
struct Remembering<'a, W> {
    worker: &'a W,
    memory: &'a Memory,
}

/// What workers remember.
#[derive(Default)]
struct Memory {
    deliveries: Locked<Vec<Delivery>>,
    replies: Locked<BTreeMap<String, String>>,
}

#[async_trait]
impl<W: Worker> Worker for Remembering<'_, W> {
    async fn perform(&self, job: &Delivery) -> Outcome {
        self.memory.deliveries.borrow_mut().push(job.clone());
        let outcome = self.worker.perform(job).await;
        if let Outcome::Done(reply) = &outcome {
            // An event has none: nobody waits for it.
            let correlation_id = job.correlation_id.clone().unwrap_or_default();
            let before = self.memory.replies.borrow_mut().insert(correlation_id, reply.clone());
            assert!(before.is_none_or(|before| before == *reply), "the same reply at every delivery");
        }
        outcome
    }
}

const TABLES: &[&octo_core::sql::Schema] = &[&octo_jobs::SCHEMA, &SCHEMA];

fn drain(world: &World, memory: &Memory, cut: Option<usize>) {
    world.until_cut(cut, async |sql, accounts| {
        let sql = &Migrated::new(sql, TABLES);
        let consumer = Consumer { sql, accounts, clock: &world.clock };
        let jobs = consumer.jobs();
        let worker = &Remembering { worker: &jobs, memory };
        let performer =
            Performer { sql, worker, queues: jobs.queues(), clock: &world.clock, entropy: &world.entropy };
        performer.drain(super::instance::NOW + Duration::from_secs(1_000_000)).await.unwrap();
    });
}

/// What must hold at any time.
pub(super) fn check(world: &World) {
    let mut histories: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
    let lines: Vec<(i64, Event)> = world
        .rows("SELECT subscription_id, type FROM subscription_notifications WHERE changed = 1 ORDER BY id");
    for (id, event) in lines {
        histories.entry(id).or_default().push(event);
    }
    let subscriptions: Vec<(i64, i64, Status)> = world.rows("SELECT id, user_id, status FROM subscriptions");
    for (id, _, status) in &subscriptions {
        let history = histories.remove(id).unwrap_or_default();
        assert_eq!(fold(history.iter().copied()), Some(*status), "{id}: {history:?}");
        assert_eq!(history.first(), Some(&Event::Purchased));
        let twice = history.windows(2).find(|pair| pair[0].status() == pair[1].status());
        assert_eq!(twice, None, "{id}: every line of a history changes the status");
    }
    assert!(histories.is_empty(), "a history without a subscription: {histories:?}");
    let ended: Vec<(i64, String)> =
        world.rows("SELECT user_id, full_name FROM subscribers WHERE ended_at IS NOT NULL");
    for (ended, name) in ended {
        assert_eq!(name, "", "user {ended}: the name is forgotten for good");
        let active =
            subscriptions.iter().find(|(_, user, status)| *user == ended && *status == Status::Active);
        assert_eq!(active, None, "user {ended} has nothing active any more");
    }
    let counts: Vec<(i64, i64)> = world.rows("SELECT user_id, active FROM subscribers");
    for (user_id, active) in counts {
        let is_active =
            |(_, user, status): &&(i64, i64, Status)| *user == user_id && *status == Status::Active;
        assert_eq!(active, subscriptions.iter().filter(is_active).count() as i64, "user {user_id}");
    }
}

/// Every notification was applied once, and nothing else.
pub(super) fn check_applied_once(world: &World) {
    // Who came too late, after the end of the account, is refused for good.
    let mut performed: Vec<(String, String)> =
        world.rows("SELECT COALESCE(correlation_id, error, queue), state FROM jobs ORDER BY correlation_id");
    let events: Vec<(String, String)> = world
        .rows("SELECT state, COALESCE(error, '') FROM jobs WHERE queue = 'subscriptions/account-events'");
    assert_eq!(events, [], "events are heard and forgotten");
    if !world.accounts.gone.borrow().is_empty() {
        performed.retain(|(_, state)| state != "discarded");
    }
    assert!(performed.iter().all(|(_, state)| state == "completed"), "nothing is lost: {performed:?}");
    let applied: Vec<(String,)> = world.rows(
        "SELECT correlation_id FROM subscription_notifications
         WHERE correlation_id NOT LIKE 'account-deleted/%' ORDER BY correlation_id",
    );
    assert!(
        performed.iter().map(|(id, _)| id).eq(applied.iter().map(|(id,)| id)),
        "{performed:?} {applied:?}"
    );
}

/// What must hold when everything was performed.
fn check_settled(world: &World) {
    check_applied_once(world);

    // In the order in which they came: the last of a line decides.
    let last: Vec<(i64, Event)> = world.rows(
        "SELECT n.subscription_id, j.kind FROM jobs j
         JOIN subscription_notifications n ON n.correlation_id = j.correlation_id ORDER BY j.id",
    );
    let last: BTreeMap<i64, Event> = last.into_iter().collect();
    let gone = world.accounts.gone.borrow();
    let statuses: Vec<(i64, i64, Status)> = world.rows("SELECT id, user_id, status FROM subscriptions");
    for (id, user_id, status) in statuses {
        if gone.contains(&user_id) {
            assert_eq!(status, Status::Canceled, "subscription {id} of a deleted account");
            continue;
        }
        assert_eq!(Some(status), last.get(&id).map(|event| event.status()), "subscription {id}");
    }

    let truth: Vec<(i64, i64, i64)> =
        world.rows("SELECT user_id, active, version FROM subscribers WHERE version > 0");
    let noted = world.accounts.noted.borrow();
    for (user_id, active, version) in truth {
        if gone.contains(&user_id) {
            continue;
        }
        assert_eq!(noted.get(&user_id), Some(&(active > 0, version)), "what was told last is the truth");
    }
}

fn run(shared: &Shared, acts: &[Act]) {
    let world = World::new(shared);
    for table in ["jobs", "subscriptions", "subscription_notifications", "subscribers"] {
        world.rows::<(i64,)>(&format!("DELETE FROM {table}"));
    }
    let memory = Memory::default();
    let mut replies: BTreeMap<String, crate::Subscription> = BTreeMap::new();
    for act in acts {
        match act {
            Act::Publish { notification, key, cut } => {
                let key = key.map(|key| format!("key {key}"));
                let notification = world.meant(*notification);
                match world.publish_until_cut(*cut, notification, key.as_deref()) {
                    None | Some(Err(Refusal::NoSuchSubscription | Refusal::KeyReused | Refusal::Away(_))) => {
                    }
                    Some(Err(Refusal::NoSuchUser)) => assert!(!world.accounts.gone.borrow().is_empty()),
                    Some(Err(refusal)) => panic!("{refusal}"),
                    Some(Ok(published)) => {
                        if let Reply::Done(subscription) = published.reply {
                            let is_gone = world.accounts.gone.borrow().contains(&subscription.user_id);
                            if !published.repeated && !is_gone {
                                assert_told(&world, subscription.user_id);
                            }
                            // The name is no part of the reply: it may be forgotten meanwhile.
                            let subscription = crate::Subscription { user: String::new(), ..subscription };
                            let before = replies.insert(published.correlation_id, subscription.clone());
                            assert!(before.is_none_or(|before| before == subscription), "one reply for all");
                        }
                    }
                }
            }
            Act::Drain { cut } => drain(&world, &memory, *cut),
            Act::Late { delivery, cut } => {
                let jobs = memory.deliveries.borrow().clone();
                if !jobs.is_empty() {
                    let outcome = world.until_cut(*cut, async |sql, accounts| {
                        let sql = &Migrated::new(sql, TABLES);
                        let consumer = Consumer { sql, accounts, clock: &world.clock };
                        Remembering { worker: &consumer.jobs(), memory: &memory }
                            .perform(delivery.get(&jobs))
                            .await
                    });
                    let none_is_gone = world.accounts.gone.borrow().is_empty();
                    assert!(!(none_is_gone && matches!(outcome, Some(Outcome::Discard(_)))), "{outcome:?}");
                }
            }
            Act::Accounts { down } => world.accounts.down.set(*down),
            Act::Delete { user_id } => world.delete_account(*user_id),
            Act::Pass { seconds } => world.clock.advance(Duration::from_secs(*seconds)),
        }
        check(&world);
    }
    world.accounts.down.set(false);
    while world
        .rows::<(i64,)>("SELECT COUNT(*) FROM jobs WHERE finalized_at IS NULL")
        .iter()
        .any(|(left,)| *left > 0)
    {
        // Longer than a lease, and than most pauses.
        world.clock.advance(Duration::from_secs(600));
        drain(&world, &memory, None);
    }
    check(&world);
    check_settled(&world);
}

/// Anyone who has a reply finds the accounts as the subscriptions are.
fn assert_told(world: &World, user_id: i64) {
    let truth: Vec<(i64, i64, i64)> = world.rows("SELECT user_id, active, version FROM subscribers");
    let (_, active, version) = truth.into_iter().find(|(id, ..)| *id == user_id).unwrap();
    assert_eq!(world.accounts.noted.borrow().get(&user_id), Some(&(active > 0, version)));
}

#[test]
fn whatever_crashes_the_status_is_what_the_history_says_and_the_accounts_are_told() {
    for (shared, cases) in [(Shared::sqlite(), 200), (Shared::postgres(), 60)] {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
        let run = |acts: Vec<Act>| {
            run(&shared, &acts);
            Ok(())
        };
        runner.run(&acts(), run).unwrap();
    }
}

/// The same, cut at every single step of the way from a purchase to a restart.
#[test]
fn an_instance_may_crash_at_any_step() {
    let story = |cut| {
        let key = Some(0);
        vec![
            Act::Publish { notification: Notification::Purchased { user_id: USERS[0].0 }, key, cut },
            Act::Publish { notification: Notification::Purchased { user_id: USERS[0].0 }, key, cut: None },
            Act::Pass { seconds: LEASE.as_secs() + 1 },
            Act::Drain { cut },
            Act::Publish { notification: Notification::Canceled { subscription_id: 1 }, key: Some(1), cut },
            Act::Publish {
                notification: Notification::Canceled { subscription_id: 1 },
                key: None,
                cut: None,
            },
            Act::Pass { seconds: LEASE.as_secs() + 1 },
            Act::Drain { cut },
            Act::Publish { notification: Notification::Restarted { subscription_id: 0 }, key: None, cut },
            Act::Delete { user_id: USERS[0].0 },
            Act::Drain { cut },
            Act::Publish { notification: Notification::Restarted { subscription_id: 0 }, key: None, cut },
        ]
    };
    // The server stays for all of them.
    let _server = Shared::postgres();
    for cut in 0..60 {
        on_both(|shared| run(shared, &story(Some(cut))));
    }
}
