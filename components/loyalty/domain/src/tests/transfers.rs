//! Transfers one after another.

use octo_databases::on_both;

use super::scene::{START, Scene, day, expect_missing, key};
use crate::{
    Account, Kind, NewTransfer, Refusal, Transfer, history,
    holds::{Hold, Settlement},
    schema::NEVER,
};
use octo_core::testing::ready;

#[test]
fn points_are_given_and_spent_and_every_account_says_so() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        let first = scene.redeem(1, 20, START).unwrap();
        assert_eq!((first.balance, first.change(), first.comment.as_str()), (80, -20, "a cup"));
        assert_eq!(scene.award(1, 7, NEVER, START).balance, 87);
        assert_eq!(scene.redeem(1, 87, START).unwrap().balance, 0);
        expect_missing(scene.redeem(1, 1, START), 1);
        assert_eq!(scene.balance(1, START), 0);
        let kept = ready(crate::check::kept(&scene.sql())).unwrap();
        let of = |account: Account| kept.iter().find(|(of, _)| *of == account).unwrap().1;
        assert_eq!([of(Account::Issued), of(Account::Member), of(Account::Redeemed)], [-107, 0, 107]);
        scene.expect_balanced();
        let history = ready(history::list(&scene.sql(), 1, i64::MAX, 10)).unwrap();
        let told: Vec<_> =
            history.iter().map(|transfer| (transfer.kind, transfer.change(), transfer.balance)).collect();
        assert_eq!(
            told,
            [
                (Kind::Redemption, -87, 0),
                (Kind::Award, 7, 87),
                (Kind::Redemption, -20, 80),
                (Kind::Registration, 100, 100)
            ]
        );
    });
}

#[test]
fn a_key_is_good_for_one_transfer_and_keeps_its_refusal_for_a_day() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        let first = scene.redeem_by(1, 30, key("a", "30"), START).unwrap();
        let again = scene.redeem_by(1, 30, key("a", "30"), day(3)).unwrap();
        assert!(!first.repeated && again.repeated);
        assert_eq!(first.transfer, again.transfer, "the balance is that of the first time, too");
        assert!(matches!(scene.redeem_by(1, 31, key("a", "31"), START), Err(Refusal::KeyReused)));
        expect_missing(scene.redeem_by(1, 75, key("b", "75"), START), 5);
        scene.award(1, 10, NEVER, START);
        expect_missing(scene.redeem_by(1, 75, key("b", "75"), START), 5);
        assert!(matches!(scene.redeem_by(1, 10, key("b", "10"), START), Err(Refusal::KeyReused)));
        assert_eq!(scene.balance(1, START), 80);
        scene.ledger(async |ledger| crate::expiry::sweep(ledger, day(2)).await).unwrap();
        assert_eq!(scene.redeem_by(1, 75, key("b", "75"), day(2)).unwrap().transfer.balance, 5);
        assert!(
            scene.redeem_by(1, 30, key("a", "30"), day(9)).unwrap().repeated,
            "what happened is never forgotten"
        );
        scene.expect_balanced();
    });
}

#[test]
fn a_reversal_happens_once_and_takes_back_what_is_there() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 0);
        let award = scene.award(1, 50, NEVER, START);
        let spent = scene.redeem(1, 20, START).unwrap();
        let reverse = |transfer: &crate::Transfer| {
            scene.ledger(async |ledger| ledger.reverse(transfer, 9, "a mistake", START).await)
        };
        expect_missing(reverse(&award), 20);
        let back = reverse(&spent).unwrap();
        assert_eq!((back.transfer.balance, back.transfer.change(), back.repeated), (50, 20, false));
        let again = reverse(&spent).unwrap();
        assert_eq!((again.transfer.id, again.repeated), (back.transfer.id, true));
        assert_eq!(reverse(&award).unwrap().transfer.balance, 0, "a refused reversal may be tried again");
        assert!(matches!(reverse(&back.transfer), Err(Refusal::Irreversible(Kind::Reversal))));
        expect_missing(scene.redeem(1, 1, START), 1);
        scene.expect_balanced();
    });
}

#[test]
fn an_adjustment_is_a_difference_and_never_takes_more_than_there_is() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 10);
        let adjust = |points: i64| {
            let new = if points > 0 {
                NewTransfer::given(Kind::Adjustment, Account::Adjusted, 1, points, NEVER)
            } else {
                NewTransfer::taken(Kind::Adjustment, Account::Adjusted, 1, -points)
            };
            scene.ledger(async |ledger| ledger.transfer(&new.by(9, "a reason"), None, START).await)
        };
        assert_eq!(adjust(5).unwrap().transfer.balance, 15);
        assert_eq!(adjust(-12).unwrap().transfer.balance, 3);
        expect_missing(adjust(-4), 1);
        assert_eq!(scene.balance(1, START), 3);
        scene.expect_balanced();
    });
}

#[test]
fn nobody_has_more_points_than_may_be() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 0);
        scene.rows::<(i64,)>("UPDATE points_members SET balance = 999999999999990");
        let new = NewTransfer::given(Kind::Award, Account::Issued, 1, 11, NEVER);
        let refused = scene.ledger(async |ledger| ledger.transfer(&new, None, START).await);
        assert!(matches!(refused, Err(Refusal::TooMany)), "{refused:?}");
        assert!(scene.lots().is_empty(), "nothing of it is left");
    });
}

#[test]
fn a_member_does_so_much_in_a_day_and_others_are_not_counted() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        let sql = scene.sql();
        let ledger = crate::Ledger::new(&sql, 2);
        let redeem = |number: i64, now| {
            let new = NewTransfer::taken(Kind::Redemption, Account::Redeemed, 1, number).by(1, "");
            let name = format!("{number}");
            ready(ledger.transfer(&new, key(&name, "f"), now))
        };
        expect_missing(redeem(101, START), 1);
        assert_eq!(redeem(1, START).unwrap().transfer.balance, 99);
        assert!(matches!(redeem(2, START), Err(Refusal::TooOften)));
        assert!(redeem(1, START).unwrap().repeated, "a repeat is not another operation");
        let new = NewTransfer::given(Kind::Award, Account::Issued, 1, 5, NEVER).by(9, "");
        assert_eq!(ready(ledger.transfer(&new, None, START)).unwrap().transfer.balance, 104);
        assert_eq!(redeem(2, day(1)).unwrap().transfer.balance, 102);
        scene.expect_balanced();
    });
}

fn hold(scene: &Scene, points: i64, ends_at: octo_core::UnixMillis) -> Hold {
    let new = NewTransfer::taken(Kind::Hold, Account::Held, 1, points).by(1, "an order");
    let posted = scene.hold(&new, ends_at, START);
    let hold = scene.ledger(async |ledger| ledger.hold_by_id(posted.transfer.id).await).unwrap();
    let Transfer { id, member_id, points, .. } = posted.transfer;
    assert_eq!(hold, Hold { id, member_id, points, ends_at, settled_by: None });
    hold
}

#[test]
fn a_hold_is_captured_or_released_once_and_never_both() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        let settle = |hold: &Hold, settlement| {
            scene.ledger(async |ledger| ledger.settle(hold, settlement, 1, "", START).await)
        };
        let (one, two) = (hold(&scene, 60, day(1)), hold(&scene, 30, day(1)));
        let standing = scene.standing(1, START);
        assert_eq!((standing.balance, standing.held), (10, 90));
        expect_missing(scene.redeem(1, 11, START), 1);
        let captured = settle(&one, Settlement::Capture).unwrap();
        assert_eq!((captured.transfer.balance, captured.transfer.change()), (10, 0));
        assert!(settle(&one, Settlement::Capture).unwrap().repeated);
        assert!(
            matches!(settle(&one, Settlement::Release), Err(Refusal::Settled(by)) if by == captured.transfer)
        );
        let released = settle(&two, Settlement::Release).unwrap();
        assert_eq!(released.transfer.balance, 40);
        assert!(
            matches!(settle(&two, Settlement::Capture), Err(Refusal::Settled(by)) if by == released.transfer)
        );
        assert_eq!((scene.standing(1, START).held, scene.lots()), (0, vec![40]));
        let back =
            scene.ledger(async |ledger| ledger.reverse(&captured.transfer, 9, "", START).await).unwrap();
        assert_eq!((back.transfer.balance, scene.lots()), (100, vec![100]), "a purchase that was taken back");
        scene.expect_balanced();
    });
}

#[test]
fn a_hold_that_nobody_settles_is_released_when_it_ends() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        scene.member(1, 100);
        hold(&scene, 60, day(1));
        let sweep = |now| scene.ledger(async |ledger| crate::expiry::sweep(ledger, now).await).unwrap();
        sweep(START);
        assert_eq!(scene.balance(1, START), 40);
        for _ in 0..2 {
            sweep(day(1));
            let standing = scene.standing(1, day(1));
            assert_eq!((standing.balance, standing.held), (100, 0));
        }
        scene.expect_balanced();
    });
}
