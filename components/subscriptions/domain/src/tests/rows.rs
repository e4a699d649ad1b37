//! How much a user can make the database keep.

use std::time::Duration;

use octo_databases::on_both;

use super::instance::World;
use crate::{Authority, CHANGES_PER_DAY, Notification, Refusal, Request, Subscriptions};

fn count(world: &World, table: &str) -> i64 {
    world.rows::<(i64,)>(&format!("SELECT COUNT(*) FROM {table}"))[0].0
}

fn publish(
    world: &World,
    authority: Authority,
    notification: Notification,
    key: Option<&str>,
) -> Result<bool, Refusal> {
    world.act(async |sql, accounts| {
        let subscriptions = Subscriptions::new(sql, accounts, &world.clock, &world.entropy, false);
        let request = Request { authority, notification, key, wait: Duration::ZERO };
        subscriptions.publish(&request).await.map(|published| published.repeated)
    })
}

#[test]
fn a_user_asks_for_so_many_changes_in_a_day_and_no_more() {
    on_both(|shared| {
        let world = World::new(shared);
        let (own, purchase) = (Authority::Own(1), Notification::Purchased { user_id: 1 });
        assert!(matches!(publish(&world, own, purchase, Some("k")), Ok(false)));
        let cancel = Notification::Canceled { subscription_id: 1 };
        for number in 1..CHANGES_PER_DAY {
            publish(&world, own, if number % 2 == 0 { purchase } else { cancel }, None).unwrap();
        }
        let rows = |table| count(&world, table);
        let before = ["jobs", "subscriptions", "subscription_notifications"].map(rows);
        for notification in [purchase, cancel, Notification::Restarted { subscription_id: 1 }] {
            for _ in 0..20 {
                let refused = publish(&world, own, notification, None);
                assert!(
                    matches!(refused, Err(Refusal::TooManyChanges { seconds: 1..=86_400 })),
                    "{refused:?}"
                );
            }
        }
        assert_eq!(["jobs", "subscriptions", "subscription_notifications"].map(rows), before);
        // What was asked for before is answered, and others are not concerned.
        assert!(matches!(publish(&world, own, purchase, Some("k")), Ok(true)));
        publish(&world, Authority::Own(2), Notification::Purchased { user_id: 2 }, None).unwrap();
        publish(&world, Authority::Everybody, purchase, None).unwrap();
        world.clock.advance(Duration::from_secs(24 * 3600));
        publish(&world, own, purchase, None).unwrap();
    });
}

#[test]
fn what_changed_nothing_and_who_never_subscribed_are_forgotten() {
    on_both(|shared| {
        let world = World::new(shared);
        world.publish(Notification::Purchased { user_id: 1 }, None).unwrap();
        for _ in 0..250 {
            world.publish(Notification::Canceled { subscription_id: 1 }, None).unwrap();
        }
        for user_id in 1000..1250 {
            world.delete_account(user_id);
        }
        world.drain_until_cut(None);
        let sizes = || ["subscription_notifications", "subscribers"].map(|table| count(&world, table));
        assert_eq!(sizes(), [251, 251]);
        // A dead letter can be replayed for ever, so what it did is remembered.
        world.rows::<(i64,)>(
            "UPDATE jobs SET state = 'discarded' WHERE correlation_id =
                (SELECT MAX(correlation_id) FROM subscription_notifications WHERE changed = 0) RETURNING id",
        );
        world.rows::<(i64,)>("DELETE FROM jobs WHERE state = 'completed' RETURNING id");
        world.clock.advance(Duration::from_secs(3 * 24 * 3600));
        world.drain_until_cut(None);
        assert_eq!(sizes(), [3, 1]);
        world.drain_until_cut(None);
        assert_eq!(sizes(), [3, 1]);
    });
}
