//! What a deletion leaves behind, and who learns of it.

use octo_account_events::{AccountDeleted, AccountRegistered, account_deleted, account_registered};
use octo_core::sql::{Migrated, Schema};

use super::*;
use crate::{
    schema::{ACCOUNTS, SCHEMA},
    throttle::buckets,
};

/// Where events of this kind wait.
fn queues(scene: &Scene, kind: &str) -> Vec<String> {
    let mut queues = scene.rows(&format!("SELECT queue FROM jobs WHERE kind = '{kind}'"));
    queues.sort();
    queues
}

#[test]
fn a_registration_is_told_of_once_and_accounts_from_before_are_too() {
    /// Without what the newest version adds.
    const BEFORE: Schema =
        Schema { name: ACCOUNTS.name, versions: &[ACCOUNTS.versions[0], ACCOUNTS.versions[1]] };
    on_both(|shared| {
        let connection = shared.connect();
        let tables = &[&octo_jobs::SCHEMA, &SCHEMA, &BEFORE, &buckets::SCHEMA];
        ready(Migrated::new(&connection, tables).apply()).unwrap();
        let scene = Scene::new(shared);
        let old = scene.register("old@example.com").unwrap();
        assert_eq!(scene.count("jobs"), 0);
        scene.upkeep();
        let new = scene.register("new@example.com").unwrap();
        scene.upkeep();
        assert_eq!(queues(&scene, account_registered::NAME), ["loyalty/account-events"; 2]);
        let events = scene.rows("SELECT args FROM jobs ORDER BY id");
        let told: Vec<AccountRegistered> =
            events.iter().map(|args| serde_json::from_str(args).unwrap()).collect();
        for (event, account) in told.iter().zip([&old, &new]) {
            assert_eq!((event.account_id, &event.uuid), (account.id, &account.uuid));
            assert_eq!(event.registered_at, scene.clock_now().0);
        }
    });
}

#[test]
fn a_deletion_is_told_to_every_consumer_in_the_statement_that_deletes() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.register("ada@example.com").unwrap();
        let before = scene.sql.statements().len();
        let accounts = scene.sign_on();
        ready(accounts.accounts().delete(ada.id, scene.clock_now())).unwrap();
        let writes = |(statement, _): &(String, usize)| {
            ["INSERT INTO", "DELETE FROM accounts"].iter().any(|words| statement.contains(words))
        };
        let statements = scene.sql.statements();
        let new: Vec<_> = statements.iter().skip(before).filter(|it| writes(it)).collect();
        assert_eq!(new.len(), 1, "{new:?}");

        let all = ["auth", "delivery", "loyalty", "shop", "subscriptions"]
            .map(|system| format!("{system}/account-events"));
        assert_eq!(queues(&scene, account_deleted::NAME), all);
        for payload in scene.rows("SELECT args FROM jobs WHERE kind = 'account-deleted/1'") {
            let event = serde_json::from_str::<AccountDeleted>(&payload).unwrap();
            assert_eq!(event, AccountDeleted { account_id: ada.id, deleted_at: scene.clock_now().0 });
        }
        assert!(!ready(accounts.delete(ada.id)).unwrap());
        assert_eq!(queues(&scene, account_deleted::NAME).len(), all.len(), "an account is deleted once");
    });
}

#[test]
fn what_a_deletion_leaves_undone_is_done_later() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let ada = scene.register("ada@example.com").unwrap();
        let tokens = scene.log_in("ada@example.com", "correct horse").unwrap();
        let bob = scene.register("bob@example.com").unwrap();
        let others = scene.log_in("bob@example.com", "correct horse").unwrap();
        let allowance = scene.sign_on();
        let now = scene.clock_now();
        for id in [ada.id, bob.id] {
            ready(allowance.allowance().take(&id.to_string(), now)).unwrap();
        }
        // An instance that is cut off as soon as the account is gone.
        ready(scene.sign_on().accounts().delete(ada.id, now)).unwrap();
        assert!(scene.record(&tokens.access).is_ok(), "nobody has come to it yet");
        let done = scene.upkeep();
        assert_eq!((done.drained.performed, done.drained.failed), (1, 0));
        assert_eq!(scene.record(&tokens.access), Err(Rejection::Ended));
        assert!(scene.record(&others.access).is_ok());
        assert_eq!(scene.rows("SELECT client FROM sessions ORDER BY client"), ["", "a test"]);
        let counted = |id: i64| {
            scene.store.keys().iter().filter(|key| key.contains(&format!("allowance/{id}/"))).count()
        };
        assert_eq!((counted(ada.id), counted(bob.id) > 0), (0, true));
        let left = queues(&scene, account_deleted::NAME);
        assert_eq!(
            left,
            [
                "delivery/account-events",
                "loyalty/account-events",
                "shop/account-events",
                "subscriptions/account-events"
            ]
        );
        assert_eq!(scene.upkeep(), Upkeep::default());
        // Nothing but its number is known of it, and that not for ever.
        assert_eq!(scene.rows("SELECT account_id FROM account_deletions"), [ada.id.to_string()]);
        scene.clock.advance(Duration::from_secs(8 * 24 * 3600));
        scene.upkeep();
        assert_eq!(scene.count("account_deletions"), 0);
    });
}

impl Scene {
    fn clock_now(&self) -> UnixMillis {
        octo_core::Clock::now(&self.clock)
    }
}
