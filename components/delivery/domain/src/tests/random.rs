//! Random histories: several owners, instances that die at any statement, jobs that come twice and late.

use std::time::Duration;

use octo_core::{Clock, sql::Migrated, testing::ready};
use octo_databases::{Crashing, Shared, on_both};
use proptest::prelude::*;

use super::scene::{Scene, check, daily, drain, owner, parcel};
use crate::{MoscowDay, Parcels, TABLES, parcels::Key};

#[derive(Clone, Debug)]
enum Act {
    Register {
        key: u8,
    },
    Drain {
        cut: Option<(u32, bool)>,
    },
    Cancel {
        parcel: i64,
        cut: Option<(u32, bool)>,
    },
    Bind {
        parcel: i64,
        company: i64,
        cut: Option<(u32, bool)>,
    },
    RetryFailed,
    Source {
        away: bool,
    },
    Wait {
        seconds: u64,
    },
    /// The job of a parcel is enqueued once more, as a dead letter that is replayed is.
    Redeliver {
        parcel: i64,
    },
}

fn cut() -> impl Strategy<Value = Option<(u32, bool)>> {
    proptest::option::of((0..8_u32, any::<bool>()))
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..6_u8).prop_map(|key| Act::Register { key }),
        4 => cut().prop_map(|cut| Act::Drain { cut }),
        1 => (1..8_i64, cut()).prop_map(|(parcel, cut)| Act::Cancel { parcel, cut }),
        1 => (1..8_i64, 1..4_i64, cut()).prop_map(|(parcel, company, cut)| Act::Bind { parcel, company, cut }),
        1 => Just(Act::RetryFailed),
        1 => any::<bool>().prop_map(|away| Act::Source { away }),
        2 => (1..4_000_u64).prop_map(|seconds| Act::Wait { seconds }),
        1 => (1..8_i64).prop_map(|parcel| Act::Redeliver { parcel }),
    ]
}

fn play(shared: &Shared, acts: &[Act]) {
    let scene = Scene::new(shared);
    ready(scene.sql().apply()).unwrap();
    let mut carriers = std::collections::BTreeMap::new();
    for act in acts {
        let now = scene.clock.now();
        let cut_off = |cut: &Option<(u32, bool)>| {
            let (statements, last) = cut.unwrap_or((u32::MAX - 1, true));
            Crashing::after(shared.connect(), statements, last)
        };
        match act {
            Act::Register { key } => {
                let (name, status) = (format!("k{key}"), format!("u{}", now.0 + i64::from(*key)));
                let key = Key { key: &name, fingerprint: "f" };
                let registered =
                    ready(Parcels::new(&scene.sql()).register(&owner(), &parcel(), &status, Some(key), now));
                // A status of an earlier parcel at the same time.
                let _known = registered;
            }
            Act::Drain { cut } => {
                let connection = cut_off(cut);
                let sql = Migrated::new(&connection, TABLES);
                let _cut = ready(drain(&sql, &scene.source, &scene.clock, &scene.entropy, &scene.config));
            }
            Act::Cancel { parcel, cut } => {
                let _cut = ready(Parcels::new(&cut_off(cut)).cancel(Some(&owner()), *parcel, now));
            }
            Act::Bind { parcel, company, cut } => {
                let _cut = ready(Parcels::new(&cut_off(cut)).bind_carrier(*parcel, *company, now));
            }
            Act::RetryFailed => drop(ready(Parcels::new(&scene.sql()).retry_failed(3, now)).unwrap()),
            Act::Source { away: true } => scene.source.will(Err("away")),
            Act::Source { away: false } => {
                scene.source.will(Ok(&daily(&MoscowDay::containing(now).to_string(), "84.004")));
            }
            Act::Wait { seconds } => scene.clock.advance(Duration::from_secs(*seconds)),
            Act::Redeliver { parcel } => {
                let again = format!(
                    "INSERT INTO jobs (queue, kind, args, visible_at, created_at)
                     VALUES ('delivery/prices', 'price-parcel/1', '{{\"parcel_id\":{parcel}}}', 0, 0)"
                );
                ready(octo_core::Sql::query(&scene.sql(), &again, &[])).unwrap();
            }
        }
        check(&scene);
        for (id, carrier) in
            scene.rows::<(i64, i64)>("SELECT id, carrier FROM parcels WHERE carrier IS NOT NULL")
        {
            assert_eq!(*carriers.entry(id).or_insert(carrier), carrier, "a carrier is for ever");
        }
    }
    // In the end everything is priced that is not canceled, and once.
    scene.source.will(Ok(&daily(&MoscowDay::containing(scene.clock.now()).to_string(), "84.004")));
    while ready(Parcels::new(&scene.sql()).retry_failed(100, scene.clock.now())).unwrap() > 0 {}
    scene.drain_all();
    check(&scene);
    let open: Vec<(i64, String)> =
        scene.rows("SELECT id, state FROM parcels WHERE state NOT IN ('priced', 'canceled')");
    assert_eq!(open, []);
    let events: Vec<(i64,)> = scene.rows(
        "SELECT parcel_id FROM parcel_events WHERE event IN ('priced', 'canceled', 'registered', 'carrier')
         GROUP BY parcel_id, event HAVING COUNT(*) > 1",
    );
    assert_eq!(events, [], "nothing happened twice");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_parcel_ends_once_and_the_sums_are_those_of_the_log(
        acts in proptest::collection::vec(act(), 1..30),
    ) {
        on_both(|shared| play(shared, &acts));
    }
}
