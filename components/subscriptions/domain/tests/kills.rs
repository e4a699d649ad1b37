//! A consumer is killed (SIGKILL) again and again while it works: no notification is lost, none is applied twice, and
//! those of one subscription are applied in the order in which they were enqueued.

// Tests say what they expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use octo_core::async_trait;
use std::{collections::BTreeMap, time::Duration};

use octo_core::{
    Clock, Entropy, Sql, UnixMillis,
    sql::Migrated,
    testing::{FakeClock, FakeEntropy, ready},
};
use octo_databases::{Database, Shared, killed};
use octo_jobs::{Enqueued, Jobs, LEASE, NewJob};
use octo_subscriptions::{Accounts, Authority, Away, Notification, Request, Subscriptions, schema::SCHEMA};

const START: UnixMillis = UnixMillis(1_800_000_000_000);
const KILLS: u32 = 100;
const SUBSCRIPTIONS: usize = 12;

/// Everybody there is, and nobody to tell.
struct Everybody;

#[async_trait]
impl Accounts for Everybody {
    async fn full_name(&self, _: i64) -> Result<Option<String>, Away> {
        Ok(Some("Ada".to_owned()))
    }

    async fn note_subscribed(&self, _: i64, _: bool, _: i64) -> Result<(), Away> {
        Ok(())
    }
}

/// Each life begins when the leases of the one before have ended.
fn clock_of(life: u32) -> FakeClock {
    FakeClock::at(START + LEASE * 2 * life)
}

fn drain(sql: &Database, life: u32) -> octo_jobs::Drained {
    let (clock, entropy) = (clock_of(life), FakeEntropy::default());
    let subscriptions = Subscriptions::new(sql, &Everybody, &clock, &entropy, false);
    ready(subscriptions.drain(clock.now() + Duration::from_millis(1))).unwrap()
}

#[test]
#[ignore = "it is the process that the other tests kill"]
fn consumer() {
    let (sql, life) = killed::begin();
    drain(&sql, life);
}

fn count(sql: &impl Sql, statement: &str) -> i64 {
    let rows: Vec<(i64,)> = ready(sql.fetch(statement, &[])).unwrap();
    rows[0].0
}

/// Enqueues cancellations and restarts at random, as a producer does; which subscription each is for.
fn enqueue(sql: &impl Sql, entropy: &impl Entropy, sent: &mut Vec<(String, i64)>, number: usize) {
    for _ in 0..number {
        let [subscription, event] = entropy.bytes();
        let subscription_id = i64::from(subscription) % SUBSCRIPTIONS as i64 + 1;
        let notification = if event % 2 == 0 {
            Notification::Canceled { subscription_id }
        } else {
            Notification::Restarted { subscription_id }
        };
        let correlation_id = format!("n{}", sent.len());
        let job = notification.job().unwrap();
        let new = NewJob { correlation_id: Some(&correlation_id), max_attempts: 10_000, ..job.due(START) };
        assert!(matches!(ready(Jobs::new(sql).enqueue(&new, START)).unwrap(), Enqueued::New(_)));
        sent.push((correlation_id, subscription_id));
    }
}

fn survives(shared: &Shared) {
    let sql = shared.connect();
    let (clock, entropy) = (clock_of(0), FakeEntropy::default());
    let subscriptions = Subscriptions::new(&sql, &Everybody, &clock, &entropy, false);
    for _ in 0..SUBSCRIPTIONS {
        let request = Request {
            authority: Authority::Everybody,
            notification: Notification::Purchased { user_id: 1 },
            key: None,
            wait: Duration::ZERO,
        };
        ready(subscriptions.publish(&request)).unwrap();
    }
    let sql = Migrated::new(&sql, &[&octo_jobs::SCHEMA, &SCHEMA]);
    let mut sent = Vec::new();
    let mut between = 0;
    for life in 1..=KILLS {
        if count(&sql, "SELECT COUNT(*) FROM jobs WHERE finalized_at IS NULL") < 100 {
            enqueue(&sql, &entropy, &mut sent, 200);
        }
        let [moments] = entropy.bytes();
        killed::live_and_die("consumer", shared, life, Duration::from_micros(u64::from(moments) * 150));
        between += count(
            &sql,
            "SELECT COUNT(*) FROM subscription_notifications n JOIN jobs j ON j.correlation_id = n.correlation_id
             WHERE j.finalized_at IS NULL",
        )
        .min(1);
    }
    println!("{between} of {KILLS} kills fell between an effect and its acknowledgement");
    assert!(
        between > i64::from(KILLS) / 20,
        "only {between} kills fell between the effect and its acknowledgement"
    );
    killed::settle(shared);
    let connection = shared.connect();
    while count(&sql, "SELECT COUNT(*) FROM jobs WHERE finalized_at IS NULL") > 0 {
        drain(&connection, KILLS + 1);
    }
    assert_eq!(count(&sql, "SELECT COUNT(*) FROM jobs WHERE state <> 'completed'"), 0);
    expect_once_and_in_order(&sql, &sent);
    expect_status_is_what_the_history_says(&sql);
}

fn expect_once_and_in_order(sql: &impl Sql, sent: &[(String, i64)]) {
    let statement = "SELECT correlation_id, subscription_id FROM subscription_notifications
        WHERE type <> 'SUBSCRIPTION_PURCHASED' ORDER BY id";
    let applied: Vec<(String, i64)> = ready(sql.fetch(statement, &[])).unwrap();
    assert_eq!(applied.len(), sent.len());
    let of = |all: &[(String, i64)], subscription: i64| -> Vec<String> {
        all.iter()
            .filter(|(_, id)| *id == subscription)
            .map(|(correlation_id, _)| correlation_id.clone())
            .collect()
    };
    for subscription in 1..=SUBSCRIPTIONS as i64 {
        assert_eq!(of(&applied, subscription), of(sent, subscription));
    }
}

fn expect_status_is_what_the_history_says(sql: &impl Sql) {
    let statement =
        "SELECT subscription_id, type FROM subscription_notifications WHERE changed = 1 ORDER BY id";
    let history: Vec<(i64, String)> = ready(sql.fetch(statement, &[])).unwrap();
    let mut folded: BTreeMap<i64, &str> = BTreeMap::new();
    for (id, event) in &history {
        let status = if event == "SUBSCRIPTION_CANCELED" { "CANCELED" } else { "ACTIVE" };
        assert_ne!(folded.insert(*id, status), Some(status), "a line of the history that changed nothing");
    }
    let kept: Vec<(i64, String)> =
        ready(sql.fetch("SELECT id, status FROM subscriptions ORDER BY id", &[])).unwrap();
    let expected: Vec<_> = folded.iter().map(|(id, status)| (*id, (*status).to_owned())).collect();
    assert_eq!(kept, expected);
    let active = kept.iter().filter(|(_, status)| status == "ACTIVE").count() as i64;
    assert_eq!(count(sql, "SELECT active FROM subscribers"), active);
}

#[test]
fn a_consumer_killed_a_hundred_times_over_sqlite_loses_nothing_and_repeats_nothing() {
    survives(&Shared::sqlite());
}

#[test]
fn a_consumer_killed_a_hundred_times_over_postgres_loses_nothing_and_repeats_nothing() {
    survives(&Shared::postgres());
}
