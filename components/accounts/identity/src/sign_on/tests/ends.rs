//! What a deletion leaves behind, and who learns of it.

use octo_account_events::{AccountDeleted, account_deleted};

use super::*;

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

        let mut queues = scene.rows("SELECT queue FROM jobs");
        queues.sort();
        assert_eq!(
            queues,
            ["auth/account-events", "delivery/account-events", "subscriptions/account-events"]
        );
        for payload in scene.rows("SELECT args FROM jobs") {
            let event = serde_json::from_str::<AccountDeleted>(&payload).unwrap();
            assert_eq!(event, AccountDeleted { account_id: ada.id, deleted_at: scene.clock_now().0 });
        }
        assert_eq!(scene.rows("SELECT DISTINCT kind FROM jobs"), [account_deleted::NAME]);
        assert!(!ready(accounts.delete(ada.id)).unwrap());
        assert_eq!(scene.count("jobs"), queues.len(), "an account is deleted once");
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
        let mut left = scene.rows("SELECT queue FROM jobs");
        left.sort();
        assert_eq!(left, ["delivery/account-events", "subscriptions/account-events"]);
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
