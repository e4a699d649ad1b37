//! Many at the same time.

use std::thread;

use octo_core::testing::ready;
use octo_databases::{Shared, on_both};

use super::scene::{START, Scene, day, key, registered};
use crate::{Account, Kind, NewTransfer, Refusal, expiry, holds::Settlement, members, schema::NEVER};

/// What so many instances get that do the same at once.
fn at_once<T: Send>(shared: &Shared, number: usize, act: impl Fn(&Scene, usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let each = |number| {
            let act = &act;
            scope.spawn(move || act(&Scene(shared.connect()), number))
        };
        let running: Vec<_> = (0..number).map(each).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn of_eight_withdrawals_of_everything_one_succeeds() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        let results = at_once(shared, 8, |scene, _| scene.redeem(1, 100, START));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(results.iter().filter(|result| matches!(result, Err(Refusal::Missing(100)))).count(), 7);
        scene.expect_balanced();
    });
}

#[test]
fn of_two_hundred_withdrawals_of_a_point_a_hundred_succeed() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 60);
        scene.award(1, 25, day(1).0, START);
        scene.award(1, 15, day(1).0, START);
        let done =
            at_once(shared, 8, |scene, _| (0..25).filter(|_| scene.redeem(1, 1, START).is_ok()).count());
        assert_eq!(done.iter().sum::<usize>(), 100);
        assert_eq!((scene.balance(1, START), scene.lots()), (0, vec![0, 0, 0]));
        scene.expect_balanced();
    });
}

#[test]
fn one_key_at_once_is_one_withdrawal_and_one_refusal_for_all() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        let posted = at_once(shared, 8, |scene, _| scene.redeem_by(1, 30, key("a", "f"), START).unwrap());
        assert!(
            posted.iter().all(|posted| posted.transfer == posted.transfer && posted.transfer.balance == 70)
        );
        assert_eq!(posted.iter().filter(|posted| !posted.repeated).count(), 1);
        // Refused, or carried out, but the same for all, though points come meanwhile.
        let results = at_once(shared, 8, |scene, number| {
            if number == 4 {
                scene.award(1, 1_000, NEVER, START);
            }
            scene.redeem_by(1, 500, key("b", "f"), START).map(|posted| posted.transfer.id).ok()
        });
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
        scene.expect_balanced();
    });
}

#[test]
fn whatever_is_settled_reversed_opened_and_ended_at_once_happens_once() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        scene.award(1, 50, day(1).0, START);
        at_once(shared, 6, |scene, _| {
            ready(members::open(&scene.sql(), &registered(2), 100, NEVER, START)).unwrap()
        });
        assert_eq!(scene.balance(2, START), 100);
        let new = NewTransfer::taken(Kind::Hold, Account::Held, 1, 120);
        let hold = scene.hold(&new, day(9), START);
        let hold = scene.ledger(async |ledger| ledger.hold_by_id(hold.transfer.id).await).unwrap();
        let settled = at_once(shared, 6, |scene, number| {
            let settlement = if number % 2 == 0 { Settlement::Capture } else { Settlement::Release };
            scene.ledger(async |ledger| ledger.settle(&hold, settlement, 1, "", START).await).is_ok()
        });
        assert_eq!(settled.iter().filter(|done| **done).count(), 3, "one of the two, and its repeats");
        let spent = scene.redeem(1, 10, START).unwrap();
        at_once(shared, 6, |scene, _| {
            scene.ledger(async |ledger| ledger.reverse(&spent, 9, "", START).await).unwrap();
        });
        let before = scene.balance(1, START);
        let ended = scene.standing(1, START).ending.iter().map(|lot| lot.remaining).sum::<i64>();
        at_once(shared, 6, |scene, _| {
            scene.ledger(async |ledger| expiry::sweep(ledger, day(2)).await).unwrap();
        });
        assert_eq!(scene.balance(1, day(2)), before - ended);
        let entries: Vec<(i64,)> =
            scene.rows("SELECT COUNT(*) FROM points_transfers WHERE kind IN ('expiry', 'reversal')");
        assert_eq!(entries, [(1 + i64::from(ended > 0),)]);
        scene.expect_balanced();
    });
}
