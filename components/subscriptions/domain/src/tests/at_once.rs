//! Several instances at once, whose clocks disagree so much that each takes over what the others hold.

use octo_core::async_trait;
use std::{collections::BTreeMap, sync::Mutex, thread};

use octo_core::{
    Sql,
    testing::{FakeClock, FakeEntropy, ready},
};
use octo_databases::{Shared, on_both};
use octo_jobs::{Jobs, LEASE, NewJob};

use super::{
    instance::{NOW, World},
    random::{check, check_applied_once},
};
use crate::{Accounts, Away, Notification, Register, Subscriptions};

const INSTANCES: u32 = 4;
const CHANGES: usize = 150;

/// Accounts that several threads tell.
#[derive(Default)]
struct Told(Mutex<BTreeMap<i64, (bool, i64)>>);

#[async_trait]
impl Accounts for Told {
    async fn full_name(&self, _: i64) -> Result<Option<String>, Away> {
        Ok(Some("Ada".to_owned()))
    }

    async fn note_subscribed(&self, user_id: i64, active: bool, version: i64) -> Result<(), Away> {
        let mut told = self.0.lock().unwrap();
        let known = told.entry(user_id).or_default();
        if known.1 < version {
            *known = (active, version);
        }
        Ok(())
    }
}

fn enqueue(sql: &impl Sql, number: usize, notification: Notification) {
    let job = notification.job().unwrap();
    let correlation_id = format!("notification {number}");
    let new = NewJob { correlation_id: Some(&correlation_id), max_attempts: 1000, ..job.due(NOW) };
    ready(Jobs::new(sql).enqueue(&new, NOW)).unwrap();
}

/// Drains until nothing is left, as an instance whose clock is `leases` ahead.
fn drain(shared: &Shared, told: &Told, leases: u32) {
    let (sql, clock) = (shared.connect(), FakeClock::at(NOW + LEASE * 2 * leases));
    let entropy = FakeEntropy::default();
    let subscriptions = Subscriptions::new(&sql, told, &clock, &entropy, false);
    loop {
        // What fails because others hold it is tried again.
        if ready(subscriptions.drain(NOW + LEASE * 1_000_000)).is_ok() {
            clock.advance(LEASE * 2 * INSTANCES);
        }
        let left = "SELECT COUNT(*) FROM jobs WHERE finalized_at IS NULL";
        if ready(sql.first(left, &[])) == Ok(Some((0_i64,))) {
            return;
        }
    }
}

#[test]
fn instances_that_perform_the_same_notifications_at_once_apply_each_once() {
    on_both(|shared| {
        let (world, told) = (World::new(shared), Told::default());
        for user_id in [1, 1, 2, 3] {
            world.publish(Notification::Purchased { user_id }, None).unwrap();
        }
        told.0.lock().unwrap().extend(world.accounts.noted.borrow().clone());
        for number in 0..CHANGES {
            let subscription_id = 1 + number as i64 % 4;
            // Every third one changes nothing.
            enqueue(
                &world.database,
                number,
                match number / 4 % 3 {
                    0 | 1 => Notification::Canceled { subscription_id },
                    _ => Notification::Restarted { subscription_id },
                },
            );
        }
        thread::scope(|scope| {
            let told = &told;
            for instance in 0..INSTANCES {
                scope.spawn(move || drain(shared, told, instance));
            }
        });
        check(&world);
        check_applied_once(&world);
        let truth: Vec<(i64, i64, i64)> = world.rows("SELECT user_id, active, version FROM subscribers");
        let truth: BTreeMap<_, _> =
            truth.into_iter().map(|(user_id, active, version)| (user_id, (active > 0, version))).collect();
        assert_eq!(*told.0.lock().unwrap(), truth, "what was told last is the truth");
    });
}

/// Should a line ever be overtaken, by an instance that is slower than its lease, the history still decides.
#[test]
fn notifications_about_one_subscription_that_overlap_leave_a_history_that_its_status_follows() {
    on_both(|shared| {
        let world = World::new(shared);
        for _ in 0..2 {
            world.publish(Notification::Purchased { user_id: 1 }, None).unwrap();
        }
        thread::scope(|scope| {
            for instance in 0..INSTANCES {
                scope.spawn(move || {
                    let sql = shared.connect();
                    for number in 0..100 {
                        let subscription_id = 1 + number % 2;
                        let notification = match number / 2 % 2 {
                            0 => Notification::Canceled { subscription_id },
                            _ => Notification::Restarted { subscription_id },
                        };
                        let id = format!("{instance}/{number}");
                        let applied =
                            ready(Register::new(&sql).apply(notification, &id, NOW)).unwrap().unwrap();
                        assert_eq!(applied.subscription.status, notification.event().status());
                    }
                });
            }
        });
        check(&world);
    });
}
