//! Random histories on four instances that crash at any statement, over both databases.

use std::{collections::BTreeMap, time::Duration};

use octo_core::{Sql, UnixMillis, sql::Migrated, testing::ready};
use octo_databases::{Crashing, Shared};
use proptest::{prelude::*, test_runner::TestRunner};

use super::scene::{START, Scene, registered};
use crate::{
    Account, Kind, Ledger, NewTransfer, Refusal, TABLES, Transfer, expiry, holds::Settlement, ledger::Key,
    members, schema::NEVER,
};

const MEMBERS: i64 = 3;

/// What the members, the administrators and the world do. An act that is cut off (`cut`) is asked for again right away.
#[derive(Clone, Debug)]
enum Act {
    /// The account is told of, and then once more.
    Register {
        member: i64,
    },
    Redeem {
        member: i64,
        points: i64,
        key: u8,
    },
    Award {
        member: i64,
        points: i64,
        days: Option<u64>,
        key: u8,
    },
    Adjust {
        member: i64,
        points: i64,
        key: u8,
    },
    Hold {
        member: i64,
        points: i64,
        days: u64,
        key: u8,
    },
    Settle {
        hold: prop::sample::Index,
        settlement: Settlement,
    },
    Reverse {
        transfer: prop::sample::Index,
    },
    Sweep,
    Pass {
        days: u64,
    },
}

fn acts() -> impl Strategy<Value = Vec<(Act, Option<u32>, bool)>> {
    let member = || 1..=MEMBERS;
    let settlement = prop_oneof![Just(Settlement::Capture), Just(Settlement::Release)];
    let act = prop_oneof![
        1 => member().prop_map(|member| Act::Register { member }),
        4 => (member(), 1..80_i64, 0..6_u8).prop_map(|(member, points, key)| Act::Redeem { member, points, key }),
        3 => (member(), 1..60_i64, prop::option::of(1..6_u64), 0..9_u8)
            .prop_map(|(member, points, days, key)| Act::Award { member, points, days, key }),
        1 => (member(), (-40..40_i64).prop_filter("a difference", |points| *points != 0), 0..9_u8)
            .prop_map(|(member, points, key)| Act::Adjust { member, points, key }),
        2 => (member(), 1..60_i64, 1..6_u64, 0..9_u8)
            .prop_map(|(member, points, days, key)| Act::Hold { member, points, days, key }),
        2 => (any::<prop::sample::Index>(), settlement)
            .prop_map(|(hold, settlement)| Act::Settle { hold, settlement }),
        2 => any::<prop::sample::Index>().prop_map(|transfer| Act::Reverse { transfer }),
        1 => Just(Act::Sweep),
        2 => (0..4_u64).prop_map(|days| Act::Pass { days }),
    ];
    prop::collection::vec((act, prop::option::of(0..6_u32), any::<bool>()), 1..40)
}

/// What an act came to, so that its repeat can be compared.
type Told = Result<(i64, i64), String>;

fn told(result: Result<Transfer, Refusal>) -> Option<Told> {
    match result {
        Ok(transfer) => Some(Ok((transfer.id, transfer.balance))),
        Err(Refusal::Sql(_)) => None,
        Err(refusal) => Some(Err(refusal.to_string())),
    }
}

fn act_on(sql: &impl Sql, act: &Act, known: &[Transfer], now: UnixMillis) -> Option<Told> {
    let sql = &Migrated::new(sql, TABLES);
    let ledger = &Ledger::new(sql, i64::MAX);
    let transfer = |new: &NewTransfer<'_>, key: u8| {
        let (name, fingerprint) = (format!("{}/{key}", new.kind.name()), format!("{new:?}"));
        let key = Key { key: &name, fingerprint: &fingerprint };
        told(ready(ledger.transfer(new, Some(key), now)).map(|posted| posted.transfer))
    };
    let after = |days: u64| (now + Duration::from_secs(days * 24 * 3600)).0;
    match act {
        Act::Register { member } => {
            ready(members::open(sql, &registered(*member), 100, NEVER, now)).ok().map(|()| Ok((0, 0)))
        }
        Act::Redeem { member, points, key } => {
            transfer(&NewTransfer::taken(Kind::Redemption, Account::Redeemed, *member, *points), *key)
        }
        Act::Award { member, points, days, key } => {
            let ends_at = days.map_or(NEVER, after);
            transfer(&NewTransfer::given(Kind::Award, Account::Issued, *member, *points, ends_at), *key)
        }
        Act::Adjust { member, points, key } => {
            let new = if *points > 0 {
                NewTransfer::given(Kind::Adjustment, Account::Adjusted, *member, *points, NEVER)
            } else {
                NewTransfer::taken(Kind::Adjustment, Account::Adjusted, *member, -points)
            };
            transfer(&new, *key)
        }
        Act::Hold { member, points, days, key } => {
            let new = NewTransfer::taken(Kind::Hold, Account::Held, *member, *points);
            transfer(&NewTransfer { ends_at: after(*days), ..new }, *key)
        }
        Act::Settle { hold, settlement } => {
            let holds: Vec<_> = known.iter().filter(|transfer| transfer.kind == Kind::Hold).collect();
            if holds.is_empty() {
                return Some(Ok((0, 0)));
            }
            let hold = hold.get(&holds).id;
            told(ready(async {
                let hold = ledger.hold_by_id(hold).await?;
                ledger.settle(&hold, *settlement, 1, "", now).await.map(|posted| posted.transfer)
            }))
        }
        Act::Reverse { transfer } => {
            if known.is_empty() {
                return Some(Ok((0, 0)));
            }
            let id = transfer.get(known).id;
            told(ready(async {
                let transfer = ledger.by_id(id).await?;
                ledger.reverse(&transfer, 9, "", now).await.map(|posted| posted.transfer)
            }))
        }
        Act::Sweep => ready(expiry::sweep(ledger, now)).ok().map(|_| Ok((0, 0))),
        Act::Pass { .. } => Some(Ok((0, 0))),
    }
}

/// What must hold at any time.
fn check(scene: &Scene) {
    scene.expect_balanced();
    let twice: Vec<(String,)> = scene.rows(
        "SELECT request FROM points_transfers WHERE request IS NOT NULL GROUP BY request HAVING COUNT(*) > 1",
    );
    assert_eq!(twice, []);
    let bonuses: Vec<(i64, i64)> = scene.rows(
        "SELECT m.id, COUNT(t.id) FROM points_members m LEFT JOIN points_transfers t
            ON t.member_id = m.id AND t.kind = 'registration' GROUP BY m.id",
    );
    assert!(bonuses.iter().all(|(_, number)| *number == 1), "{bonuses:?}");
    // Each balance that was told is what the transfers up to it come to.
    let transfers: Vec<Transfer> =
        scene.rows(&format!("{} WHERE missing = 0 ORDER BY id", crate::ledger::TRANSFERS));
    let mut balances: BTreeMap<i64, i64> = BTreeMap::new();
    for transfer in &transfers {
        let balance = balances.entry(transfer.member_id).or_default();
        *balance += transfer.change();
        assert_eq!(*balance, transfer.balance, "{transfer:?}");
    }
}

fn run(shared: &Shared, acts: &[(Act, Option<u32>, bool)]) {
    let scene = Scene::on(shared);
    for table in [
        "points_transfers",
        "points_lots",
        "points_lot_changes",
        "points_holds",
        "points_totals",
        "points_members",
    ] {
        scene.rows::<(i64,)>(&format!("DELETE FROM {table}"));
    }
    let mut now = START;
    for (act, cut, carried_out) in acts {
        if let Act::Pass { days } = act {
            now = now + Duration::from_secs(days * 24 * 3600);
        }
        let known: Vec<Transfer> =
            scene.rows(&format!("{} WHERE missing = 0 ORDER BY id", crate::ledger::TRANSFERS));
        if let Some(cut) = cut {
            let dying = Crashing::after(shared.connect(), *cut, *carried_out);
            drop(act_on(&dying, act, &known, now));
        }
        let first = act_on(&shared.connect(), act, &known, now).expect("nothing is cut off");
        // A reversal that was refused may work another time; nothing else changes its mind.
        let again = act_on(&scene.0, act, &known, now).expect("nothing is cut off");
        assert_eq!(again, first, "{act:?}");
        check(&scene);
    }
    // Everything that ends, ends: also late, and in whatever order it went back and forth.
    let end = now + Duration::from_secs(100 * 24 * 3600);
    let balances: Vec<_> = scene
        .rows::<(i64,)>("SELECT id FROM points_members ORDER BY id")
        .iter()
        .map(|(member,)| (*member, scene.balance(*member, end)))
        .collect();
    let held: Vec<(i64, i64)> = scene.rows(
        "SELECT h.member_id, CAST(SUM(-c.change) AS BIGINT) FROM points_holds h
            JOIN points_lot_changes c ON c.transfer_id = h.id JOIN points_lots l ON l.id = c.lot_id
            WHERE h.settled_by IS NULL AND l.ends_at = 9223372036854775807 GROUP BY h.member_id",
    );
    let held: BTreeMap<_, _> = held.into_iter().collect();
    let sql = scene.sql();
    while ready(expiry::sweep(&Ledger::new(&sql, i64::MAX), end)).unwrap() {}
    for (member, balance) in balances {
        let back = held.get(&member).copied().unwrap_or(0);
        assert_eq!(
            scene.balance(member, end),
            balance + back,
            "member {member}: what was held and never ends is back"
        );
        assert_eq!(scene.standing(member, end).held, 0);
    }
    check(&scene);
}

#[test]
fn whatever_crashes_the_ledger_balances_and_everything_happens_once() {
    for (shared, cases) in [(Shared::sqlite(), 80), (Shared::postgres(), 40)] {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
        let run = |acts: Vec<_>| {
            run(&shared, &acts);
            Ok(())
        };
        runner.run(&acts(), run).unwrap();
    }
}

/// Four instances with a history each, over the same members.
#[test]
fn whatever_four_instances_do_at_once_the_ledger_balances() {
    for (shared, cases) in [(Shared::sqlite(), 8), (Shared::postgres(), 15)] {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
        let run = |histories: Vec<Vec<(Act, Option<u32>, bool)>>| {
            let scene = Scene::on(&shared);
            for member in 1..=MEMBERS {
                ready(members::open(&scene.sql(), &registered(member), 100, NEVER, START)).unwrap();
            }
            let known: Vec<Transfer> =
                scene.rows(&format!("{} WHERE missing = 0 ORDER BY id", crate::ledger::TRANSFERS));
            std::thread::scope(|scope| {
                for history in &histories {
                    let (shared, known) = (&shared, &known);
                    scope.spawn(move || {
                        let connection = shared.connect();
                        for (number, (act, cut, carried_out)) in history.iter().enumerate() {
                            // Not in one order: clocks of instances disagree.
                            let now = START + Duration::from_secs(number as u64 % 5 * 24 * 3600);
                            if let Some(cut) = cut {
                                let dying = Crashing::after(shared.connect(), *cut, *carried_out);
                                drop(act_on(&dying, act, known, now));
                            }
                            while act_on(&connection, act, known, now).is_none() {}
                        }
                    });
                }
            });
            scene.expect_balanced();
            Ok(())
        };
        runner.run(&prop::collection::vec(acts(), 4), run).unwrap();
    }
}
