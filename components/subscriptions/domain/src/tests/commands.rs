//! What callers may ask for, and what they get.

use std::slice::from_ref;

use octo_databases::on_both;

use super::instance::World;
use crate::{Authority, Event, Notification, Page, Refusal, Reply, Status, Subscription, Subscriptions};

const PURCHASE: Notification = Notification::Purchased { user_id: 1 };
const CANCEL: Notification = Notification::Canceled { subscription_id: 1 };
const RESTART: Notification = Notification::Restarted { subscription_id: 1 };
const FIRST: Page = Page { after: 0, limit: 100 };

fn done(world: &World, notification: Notification) -> Subscription {
    match world.publish(notification, None).unwrap().reply {
        Reply::Done(subscription) => subscription,
        reply => panic!("{reply:?}"),
    }
}

fn history(world: &World, id: i64) -> Vec<Event> {
    let entries = world.act(async |sql, accounts| {
        let subscriptions = Subscriptions::new(sql, accounts, &world.clock, &world.entropy, false);
        subscriptions.history(Authority::Everybody, id, FIRST).await
    });
    entries.unwrap().into_iter().map(|entry| entry.event).collect()
}

#[test]
fn a_subscription_is_bought_canceled_and_restarted() {
    on_both(|shared| {
        let world = World::new(shared);
        let bought = done(&world, PURCHASE);
        let at = super::instance::NOW;
        let user = "Ada".to_owned();
        let expected = Subscription {
            id: 1,
            user_id: 1,
            user,
            status: Status::Active,
            created_at: at,
            updated_at: None,
        };
        assert_eq!(bought, expected);

        world.clock.advance(std::time::Duration::from_secs(1));
        let later = at + std::time::Duration::from_secs(1);
        let canceled = done(&world, CANCEL);
        assert_eq!((canceled.status, canceled.updated_at), (Status::Canceled, Some(later)));
        assert_eq!(world.accounts.noted.borrow()[&1], (false, 2));

        // Again: nothing changes, and the reply is the same.
        world.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(done(&world, CANCEL), canceled);
        let restarted = done(&world, RESTART);
        assert_eq!(done(&world, RESTART), restarted);
        assert_eq!(restarted.status, Status::Active);
        assert_eq!(world.accounts.noted.borrow()[&1], (true, 3));
        assert_eq!(history(&world, 1), [Event::Purchased, Event::Canceled, Event::Restarted]);
    });
}

#[test]
fn a_user_with_two_subscriptions_is_subscribed_until_both_are_canceled() {
    on_both(|shared| {
        let world = World::new(shared);
        let (first, second) = (done(&world, PURCHASE), done(&world, PURCHASE));
        let mut noted = Vec::new();
        for subscription_id in [first.id, second.id] {
            done(&world, Notification::Canceled { subscription_id });
            noted.push(world.accounts.noted.borrow()[&1]);
        }
        assert_eq!(noted, [(true, 3), (false, 4)]);
    });
}

#[test]
fn a_key_stands_for_one_request() {
    on_both(|shared| {
        let world = World::new(shared);
        let first = world.publish(PURCHASE, Some("k")).unwrap();
        let second = world.publish(PURCHASE, Some("k")).unwrap();
        assert_eq!((first.repeated, second.repeated), (false, true));
        assert_eq!((&first.correlation_id, &first.reply), (&second.correlation_id, &second.reply));
        let other = world.publish(Notification::Purchased { user_id: 2 }, Some("k"));
        assert!(matches!(other, Err(Refusal::KeyReused)));
    });
}

#[test]
fn who_asks_about_what_is_not_there_is_told_at_once_and_nothing_is_enqueued() {
    on_both(|shared| {
        let world = World::new(shared);
        let unknown = world.publish(Notification::Purchased { user_id: 9 }, None);
        assert!(matches!(unknown, Err(Refusal::NoSuchUser)));
        for notification in [CANCEL, RESTART] {
            assert!(matches!(world.publish(notification, None), Err(Refusal::NoSuchSubscription)));
        }
        assert_eq!(world.rows::<(i64,)>("SELECT id FROM jobs"), []);
    });
}

#[test]
fn nobody_sees_or_changes_anothers_subscription() {
    on_both(|shared| {
        let world = World::new(shared);
        let mine = done(&world, PURCHASE);
        let other = Authority::Own(2);
        world.act(async |sql, accounts| {
            let subscriptions = Subscriptions::new(sql, accounts, &world.clock, &world.entropy, false);
            let seen = subscriptions.subscription(other, mine.id).await;
            assert!(matches!(seen, Err(Refusal::NoSuchSubscription)));
            let history = subscriptions.history(other, mine.id, FIRST).await;
            assert!(matches!(history, Err(Refusal::NoSuchSubscription)));
            assert_eq!(subscriptions.list(other, None, FIRST).await.unwrap(), []);
            assert!(matches!(subscriptions.list(other, Some(1), FIRST).await, Err(Refusal::NoSuchUser)));
            assert_eq!(subscriptions.list(Authority::Own(1), None, FIRST).await.unwrap(), from_ref(&mine));
            assert_eq!(subscriptions.list(Authority::Everybody, None, FIRST).await.unwrap(), from_ref(&mine));
            for notification in [PURCHASE, CANCEL] {
                let wait = std::time::Duration::ZERO;
                let request = crate::Request { authority: other, notification, key: None, wait };
                let refused = subscriptions.publish(&request).await;
                assert!(matches!(refused, Err(Refusal::NoSuchUser | Refusal::NoSuchSubscription)));
            }
        });
        assert_eq!(history(&world, mine.id), [Event::Purchased]);
    });
}

#[test]
fn without_accounts_nothing_is_bought_and_a_change_happens_when_they_are_back() {
    on_both(|shared| {
        let world = World::new(shared);
        done(&world, PURCHASE);
        world.accounts.down.set(true);
        assert!(matches!(world.publish(PURCHASE, None), Err(Refusal::Away(_))));
        let waiting = world.publish(CANCEL, None).unwrap();
        assert_eq!(waiting.reply, Reply::Waiting);
        assert_eq!(world.accounts.noted.borrow()[&1], (true, 1));

        world.accounts.down.set(false);
        world.clock.advance(std::time::Duration::from_secs(5));
        world.drain_until_cut(None);
        assert_eq!(world.accounts.noted.borrow()[&1], (false, 2));
        let reply = world.act(async |sql, accounts| {
            let subscriptions = Subscriptions::new(sql, accounts, &world.clock, &world.entropy, false);
            subscriptions.reply(Authority::Own(1), &waiting.correlation_id).await
        });
        assert!(matches!(reply, Ok(Reply::Done(subscription)) if subscription.status == Status::Canceled));
        assert_eq!(history(&world, 1), [Event::Purchased, Event::Canceled]);
    });
}
