//! Points that end.

use octo_databases::on_both;

use super::scene::{START, Scene, day, expect_missing};
use crate::{Account, Kind, NewTransfer, expiry, holds::Settlement, schema::NEVER};

fn sweep(scene: &Scene, now: octo_core::UnixMillis) {
    while scene.ledger(async |ledger| expiry::sweep(ledger, now).await).unwrap() {}
}

fn expiries(scene: &Scene) -> Vec<(i64, i64)> {
    scene.rows("SELECT lot_id, points FROM points_transfers WHERE kind = 'expiry' ORDER BY id")
}

#[test]
fn what_ends_first_is_spent_first_and_ties_go_by_number() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 10);
        for (points, ends_at) in [(20, day(9).0), (30, day(2).0), (40, day(2).0), (50, NEVER)] {
            scene.award(1, points, ends_at, START);
        }
        let spend = |points: i64| {
            scene.redeem(1, points, START).unwrap();
            scene.lots()
        };
        assert_eq!(spend(25), [10, 20, 5, 40, 50]);
        assert_eq!(spend(10), [10, 20, 0, 35, 50]);
        assert_eq!(spend(45), [10, 10, 0, 0, 50]);
        assert_eq!(spend(25), [0, 0, 0, 0, 45]);
        scene.expect_balanced();
    });
}

#[test]
fn a_balance_leaves_ended_lots_out_also_when_nobody_removed_them() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 10);
        let lot = scene.award(1, 20, day(1).0, START);
        let standing = scene.standing(1, START);
        assert_eq!(standing.balance, 30);
        assert_eq!(
            standing.ending.iter().map(|lot| (lot.id, lot.remaining)).collect::<Vec<_>>(),
            [(lot.id, 20)]
        );
        assert_eq!(scene.balance(1, octo_core::UnixMillis(day(1).0 - 1)), 30);
        assert_eq!(scene.balance(1, day(1)), 10);
        assert!(scene.standing(1, day(1)).ending.is_empty());
        expect_missing(scene.redeem(1, 11, day(1)), 1);
        for _ in 0..3 {
            sweep(&scene, day(2));
            assert_eq!(expiries(&scene), [(lot.id, 20)], "one entry for each lot, however often");
        }
        assert_eq!(scene.balance(1, day(2)), 10);
        scene.expect_balanced();
    });
}

#[test]
fn points_that_go_back_to_an_ended_lot_end_at_once_with_both_entries() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 0);
        let (ends, lasts) = (scene.award(1, 20, day(1).0, START), scene.award(1, 20, NEVER, START));
        let spent = scene.redeem(1, 30, START).unwrap();
        let back = scene.ledger(async |ledger| ledger.reverse(&spent, 9, "", day(2)).await).unwrap();
        assert_eq!(back.transfer.change(), 30);
        assert_eq!(expiries(&scene), [(ends.id, 20)]);
        assert_eq!((scene.balance(1, day(2)), scene.lots()), (20, vec![0, 20]));
        // A hold that is released later than its points end.
        let new = NewTransfer::taken(Kind::Hold, Account::Held, 1, 20);
        let soon = scene.award(1, 5, day(3).0, day(2));
        let held = scene.hold(&new, day(9), day(2));
        assert_eq!(scene.lots(), [0, 5, 0]);
        let hold = scene.ledger(async |ledger| ledger.hold_by_id(held.transfer.id).await).unwrap();
        scene.ledger(async |ledger| ledger.settle(&hold, Settlement::Release, 1, "", day(4)).await).unwrap();
        assert_eq!(expiries(&scene), [(ends.id, 20), (soon.id, 5)]);
        assert_eq!((scene.balance(1, day(4)), scene.lots()[1]), (20, 20));
        assert_eq!(lasts.end(), None);
        scene.expect_balanced();
    });
}

#[test]
fn many_lots_are_spent_at_once_and_many_end() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 0);
        for number in 0..250_u64 {
            scene.award(1, 2, day(1 + number % 3).0, START);
        }
        assert_eq!(scene.redeem(1, 301, START).unwrap().balance, 199);
        sweep(&scene, day(1));
        sweep(&scene, day(3));
        assert_eq!(scene.balance(1, day(3)), 0);
        assert!(scene.lots().iter().all(|remaining| *remaining == 0));
        scene.expect_balanced();
    });
}
