//! Accounts that come and go, and purchases: events that come late, twice and out of turn.

use octo_account_events::{AccountDeleted, account_deleted, account_registered};
use octo_core::{
    Sql,
    testing::{FakeClock, FakeEntropy, ready},
};
use octo_databases::{Crashing, on_both};
use octo_jobs::{Drained, Job, Jobs, NewJob};

use super::scene::{START, Scene, config, day, expect_missing, registered};
use crate::{Account, Events, Kind, NewTransfer, Refusal, TABLES, events::RewardPurchase, members};

fn send(scene: &Scene, queue: &str, kind: &str, args: &str) {
    let new = NewJob {
        queue,
        kind,
        args,
        line: None,
        unique_key: None,
        correlation_id: None,
        priority: 0,
        scheduled_at: START,
        max_attempts: 20,
    };
    ready(Jobs::new(&scene.sql()).enqueue(&new, START)).unwrap();
}

fn register(scene: &Scene, account: i64) {
    let args = serde_json::to_string(&registered(account)).unwrap();
    send(scene, "loyalty/account-events", account_registered::NAME, &args);
}

fn delete(scene: &Scene, account: i64) {
    let args = serde_json::to_string(&AccountDeleted { account_id: account, deleted_at: START.0 }).unwrap();
    send(scene, "loyalty/account-events", account_deleted::NAME, &args);
}

fn drain_on(sql: &impl Sql, now: octo_core::UnixMillis) -> Option<Drained> {
    let (clock, entropy, config) = (FakeClock::at(now), FakeEntropy::default(), config());
    let sql = octo_core::sql::Migrated::new(sql, TABLES);
    let events = Events { sql: &sql, clock: &clock, config: &config };
    ready(events.jobs().performer(&sql, &clock, &entropy).drain(now + std::time::Duration::from_secs(1))).ok()
}

fn drain(scene: &Scene) {
    let drained = drain_on(&scene.0, START).unwrap();
    assert_eq!(drained.failed, 0);
}

#[test]
fn a_registration_gives_its_points_once_however_often_it_is_told() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        for _ in 0..5 {
            register(&scene, 1);
        }
        expect_no_member(&scene);
        drain(&scene);
        register(&scene, 1);
        drain(&scene);
        assert_eq!(scene.balance(1, START), 100);
        let entries: Vec<(String, i64)> = scene.rows("SELECT kind, points FROM points_transfers");
        assert_eq!(entries, [("registration".to_owned(), 100)]);
        scene.expect_balanced();
    });
}

fn expect_no_member(scene: &Scene) {
    assert!(matches!(scene.redeem(1, 5, START), Err(Refusal::NoSuchMember)));
}

#[test]
fn an_operation_before_the_event_leaves_nothing_behind() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        expect_no_member(&scene);
        register(&scene, 1);
        drain(&scene);
        assert_eq!(scene.redeem(1, 5, START).unwrap().balance, 95);
        scene.expect_balanced();
    });
}

#[test]
fn a_deleted_account_leaves_no_points_and_none_come_later() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        register(&scene, 1);
        drain(&scene);
        scene.award(1, 50, day(1).0, START);
        let new = NewTransfer::taken(Kind::Hold, Account::Held, 1, 30).by(1, "an order of Ada's");
        scene.hold(&new, day(1), START);
        delete(&scene, 1);
        drain(&scene);
        expect_no_member(&scene);
        let new = NewTransfer::given(Kind::Award, Account::Issued, 1, 5, day(9).0);
        let late = scene.ledger(async |ledger| ledger.transfer(&new, None, START).await);
        assert!(matches!(late, Err(Refusal::NoSuchMember)));
        assert!(ready(members::by_uuid(&scene.sql(), &super::scene::uuid(1))).unwrap().is_none());
        let left: Vec<(i64, i64)> = scene.rows("SELECT balance, held FROM points_members");
        assert_eq!(left, [(0, 0)]);
        let words: Vec<(String,)> = scene.rows("SELECT DISTINCT comment FROM points_transfers");
        assert_eq!(words, [(String::new(),)]);
        // The events of an account that is gone already, in the other order.
        delete(&scene, 2);
        drain(&scene);
        register(&scene, 2);
        delete(&scene, 1);
        drain(&scene);
        assert_eq!(
            scene.rows::<(i64,)>("SELECT COUNT(*) FROM points_members WHERE closed_at IS NULL"),
            [(0,)]
        );
        scene.expect_balanced();
    });
}

#[test]
fn a_purchase_gives_points_once_for_each_whole_amount() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let reward = |purchase: &str, total: i64| {
            let job = RewardPurchase { account_id: 1, purchase: purchase.into(), total };
            send(&scene, RewardPurchase::QUEUE, RewardPurchase::NAME, &serde_json::to_string(&job).unwrap());
        };
        reward("order/1", 10_000);
        assert_eq!(drain_on(&scene.0, START).unwrap().failed, 1, "the account is not known yet");
        register(&scene, 1);
        drain(&scene);
        for (purchase, total) in
            [("order/1", 10_000), ("order/1", 10_000), ("order/2", 29_999), ("order/3", 9_999)]
        {
            reward(purchase, total);
        }
        drain(&scene);
        assert_eq!(scene.balance(1, START), 103);
        drain_on(&scene.0, day(1)).unwrap();
        assert_eq!(scene.balance(1, START), 103, "the first one's turn came again");
        scene.expect_balanced();
    });
}

#[test]
fn an_instance_may_die_at_any_statement_of_an_account_s_life() {
    on_both(|shared| {
        for cut in 0..40 {
            let account = i64::from(cut) + 1;
            let scene = Scene::on(shared);
            let attempt = |carried_out| {
                let sql = Crashing::after(shared.connect(), cut, carried_out);
                let _ = drain_on(&sql, START);
            };
            register(&scene, account);
            attempt(true);
            drain_on(&scene.0, day(1)).unwrap();
            assert_eq!(scene.balance(account, START), 100, "{cut}");
            scene.redeem(account, 30, START).unwrap();
            expect_missing(scene.redeem(account, 71, START), 1);
            delete(&scene, account);
            attempt(cut % 2 == 0);
            drain_on(&scene.0, day(2)).unwrap();
            let left: Vec<(i64, i64)> =
                scene.rows(&format!("SELECT balance, held FROM points_members WHERE id = {account}"));
            assert_eq!(left, [(0, 0)], "{cut}");
            scene.expect_balanced();
        }
    });
}
