//! What becomes of the subscriptions of a deleted account.

use std::{sync::Barrier, thread};

use octo_core::{Clock, sql::Migrated, testing::ready};
use octo_databases::on_both;

use super::instance::World;
use crate::{
    Authority, Event, Notification, Page, Refusal, Register, Reply, Status, Subscriptions, schema::SCHEMA,
};

const PURCHASE: Notification = Notification::Purchased { user_id: 1 };
const RESTART: Notification = Notification::Restarted { subscription_id: 1 };

fn lines(world: &World, id: i64) -> Vec<(String, i64)> {
    world.rows(&format!(
        "SELECT type, created_at FROM subscription_notifications WHERE subscription_id = {id} ORDER BY id"
    ))
}

#[test]
fn a_deleted_account_has_no_active_subscription_no_name_and_no_way_back() {
    on_both(|shared| {
        let world = World::new(shared);
        let bought = world.publish(PURCHASE, None).unwrap();
        assert!(matches!(&bought.reply, Reply::Done(subscription) if subscription.user == "Ada"));
        world.publish(Notification::Purchased { user_id: 2 }, None).unwrap();
        world.clock.advance(std::time::Duration::from_secs(5));
        world.delete_account(1);
        // Before the event has come, too.
        assert!(matches!(world.publish(RESTART, None), Err(Refusal::NoSuchSubscription)));
        // The same event comes again, and late.
        for _ in 0..2 {
            world.drain_until_cut(None);
            world.delete_account(1);
        }
        world.drain_until_cut(None);
        let at = world.clock.now().0;
        let (purchased, canceled) = (Event::Purchased.name().to_owned(), Event::Canceled.name().to_owned());
        assert_eq!(lines(&world, 1), [(purchased, at - 5000), (canceled, at)]);
        assert!(matches!(world.publish(RESTART, None), Err(Refusal::NoSuchSubscription)));
        assert!(matches!(world.publish(PURCHASE, None), Err(Refusal::NoSuchUser)));
        world.act(async |sql, accounts| {
            let subscriptions = Subscriptions::new(sql, accounts, &world.clock, &world.entropy, false);
            let all =
                subscriptions.list(Authority::Everybody, None, Page { after: 0, limit: 9 }).await.unwrap();
            let seen: Vec<_> = all.iter().map(|it| (it.user.as_str(), it.status)).collect();
            assert_eq!(seen, [("", Status::Canceled), ("Bob", Status::Active)]);
            // The reply to the purchase of a moment ago, too.
            let reply = subscriptions.reply(Authority::Everybody, &bought.correlation_id).await.unwrap();
            assert!(matches!(reply, Reply::Done(subscription) if subscription.user.is_empty()));
        });
        for table in ["jobs", "subscribers", "subscriptions", "subscription_notifications"] {
            let text = if table == "jobs" { "COALESCE(reply, '') || args" } else { "'' || user_id" };
            if table != "subscription_notifications" {
                let rows: Vec<(String,)> = world.rows(&format!("SELECT {text} FROM {table}"));
                assert!(rows.iter().all(|(text,)| !text.contains("Ada")), "{table}: {rows:?}");
            }
        }
    });
}

#[test]
fn what_was_enqueued_before_the_end_and_is_performed_after_it_changes_nothing() {
    on_both(|shared| {
        let world = World::new(shared);
        world.publish(PURCHASE, None).unwrap();
        world.publish(Notification::Canceled { subscription_id: 1 }, None).unwrap();
        world.act(async |sql, _| {
            let sql = Migrated::new(sql, &[&octo_jobs::SCHEMA, &SCHEMA]);
            let register = Register::new(&sql);
            register.end(1, world.clock.now()).await.unwrap();
            for (number, notification) in [PURCHASE, RESTART].into_iter().enumerate() {
                let late = register.apply(notification, &format!("late {number}"), world.clock.now()).await;
                assert_eq!(late, Ok(None));
            }
            // A cancel has nothing left to do, and says so.
            let cancel = Notification::Canceled { subscription_id: 1 };
            let canceled = register.apply(cancel, "late cancel", world.clock.now()).await.unwrap().unwrap();
            assert_eq!((canceled.subscription.status, canceled.subscriber.active), (Status::Canceled, 0));
        });
        assert_eq!(world.rows::<(i64,)>("SELECT COUNT(*) FROM subscriptions"), [(1,)]);
        super::random::check(&world);
    });
}

#[test]
fn an_end_next_to_purchases_and_restarts_leaves_nothing_active() {
    on_both(|shared| {
        for round in 0..12_i64 {
            let user_id = 100 + round;
            let world = World::new(shared);
            let sql = Migrated::new(&world.database, &[&octo_jobs::SCHEMA, &SCHEMA]);
            let register = Register::new(&sql);
            ready(register.enrol(user_id, "Ada")).unwrap();
            let now = world.clock.now();
            let purchase = Notification::Purchased { user_id };
            let first = ready(register.apply(purchase, &format!("{round} first"), now)).unwrap().unwrap();
            let subscription_id = first.subscription.id;
            let start = Barrier::new(3);
            thread::scope(|scope| {
                let start = &start;
                scope.spawn(move || {
                    let sql = shared.connect();
                    start.wait();
                    while ready(Register::new(&sql).end(user_id, now)).is_err() {}
                });
                for (name, notification) in
                    [("purchase", purchase), ("restart", Notification::Restarted { subscription_id })]
                {
                    scope.spawn(move || {
                        let sql = shared.connect();
                        start.wait();
                        for number in 0..5 {
                            let cancel = Notification::Canceled { subscription_id };
                            for (what, notification) in [("cancel", cancel), (name, notification)] {
                                let id = format!("{round} {name} {number} {what}");
                                // Two that stand in each other's way try again.
                                while ready(Register::new(&sql).apply(notification, &id, now)).is_err() {}
                            }
                        }
                    });
                }
            });
            super::random::check(&world);
            let active: Vec<(i64,)> =
                world.rows(&format!("SELECT active FROM subscribers WHERE user_id = {user_id}"));
            assert_eq!(active, [(0,)], "round {round}");
        }
    });
}
