//! Registering and pricing, once.

use std::time::Duration;

use octo_core::{Clock, UnixMillis, sql::Migrated, testing::ready};
use octo_databases::{Crashing, on_both};
use octo_jobs::LEASE;

use super::scene::{START, Scene, check, daily, drain, owner, parcel};
use crate::{MoscowDay, Parcels, Refusal, State, TABLES, parcels::Key, sums};

fn events(scene: &Scene, id: i64) -> Vec<String> {
    let lines = ready(Parcels::new(&scene.sql()).history(id, 0, 100)).unwrap();
    lines.into_iter().map(|line| line.event).collect()
}

#[test]
fn a_parcel_is_priced_in_the_background_and_keeps_what_it_was_priced_with() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let registered = scene.register("u1", None);
        assert_eq!((registered.parcel.state, registered.parcel.cost), (State::Pending, None));
        assert_eq!(registered.parcel.type_name, "Электроника");
        check(&scene);
        assert_eq!(scene.drain().performed, 1);
        let id = registered.parcel.id;
        let priced = scene.parcel(id);
        assert_eq!((priced.state, priced.cost), (State::Priced, Some(7_224)));
        assert_eq!(events(&scene, id), ["registered", "priced"]);
        let receipt = ready(Parcels::new(&scene.sql()).receipt(id)).unwrap().unwrap();
        assert_eq!(receipt.rate.value.to_string(), "84.004");
        assert_eq!(
            (receipt.rate.day.to_string(), receipt.rate.source),
            ("2027-01-15".into(), "https://bank.example".into())
        );
        let day = MoscowDay::containing(START);
        let found = ready(sums::of_days(&scene.sql(), day, day)).unwrap();
        assert_eq!((found.len(), found[0].number, found[0].total), (1, 1, 7_224));
        assert_eq!(ready(sums::from_log(&scene.sql(), day)).unwrap(), found);
        assert_eq!(ready(sums::rebuild(&scene.sql(), day)).unwrap(), 0);
        check(&scene);
    });
}

#[test]
fn wherever_an_instance_dies_the_parcel_is_priced_once() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let mut number = 0;
        for last_is_carried_out in [false, true] {
            for statements in 0..12 {
                number += 1;
                scene.register(&format!("u{number}"), None);
                // The first parcels also find no rate.
                let connection = Crashing::after(shared.connect(), statements, last_is_carried_out);
                let sql = Migrated::new(&connection, TABLES);
                let _dead = ready(drain(&sql, &scene.source, &scene.clock, &scene.entropy, &scene.config));
                check(&scene);
            }
        }
        scene.clock.advance(LEASE + Duration::from_secs(1));
        scene.drain_all();
        check(&scene);
        let states: Vec<(String, i64)> = scene.rows("SELECT state, COUNT(*) FROM parcels GROUP BY state");
        assert_eq!(states, [("priced".to_owned(), number)]);
        let prices: Vec<(i64,)> = scene.rows("SELECT COUNT(*) FROM parcel_prices");
        assert_eq!(prices, [(number,)]);
        let lines: Vec<(i64,)> = scene.rows("SELECT COUNT(*) FROM parcel_events WHERE event = 'priced'");
        assert_eq!(lines, [(number,)], "one line in the history of each");
    });
}

#[test]
fn of_the_requests_with_one_key_one_is_carried_out() {
    on_both(|shared| {
        let key = Key { key: "k", fingerprint: "f" };
        let ids: Vec<(i64, bool)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    scope.spawn(move || {
                        let scene = Scene::new(shared);
                        let registered = scene.register(&format!("u{number}"), Some(key));
                        (registered.parcel.id, registered.repeated)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|(id, _)| *id == ids[0].0), "{ids:?}");
        assert_eq!(ids.iter().filter(|(_, repeated)| !repeated).count(), 1);
        let scene = Scene::new(shared);
        let sql = scene.sql();
        let other = Some(Key { key: "k", fingerprint: "other" });
        let refused = ready(Parcels::new(&sql).register(&owner(), &parcel(), "u9", other, START));
        assert!(matches!(refused, Err(Refusal::KeyReused)), "{refused:?}");
        scene.drain_all();
        assert_eq!(scene.rows::<(i64,)>("SELECT COUNT(*) FROM parcels"), [(1,)]);
    });
}

#[test]
fn a_type_that_there_is_not_is_refused_and_leaves_nothing() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let new = crate::NewParcel { type_id: 9, ..parcel() };
        let refused = ready(Parcels::new(&scene.sql()).register(&owner(), &new, "u1", None, START));
        assert!(matches!(refused, Err(Refusal::NoSuchType)), "{refused:?}");
        assert_eq!(scene.rows::<(i64,)>("SELECT COUNT(*) FROM parcels"), [(0,)]);
        assert_eq!(scene.rows::<(i64,)>("SELECT COUNT(*) FROM jobs"), [(0,)]);
    });
}

#[test]
fn a_parcel_has_failed_when_its_job_has_and_can_be_tried_again() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.source.will(Err("away"));
        let id = scene.register("u1", None).parcel.id;
        let began = scene.clock.now();
        for attempt in 1..=10 {
            assert_eq!(scene.parcel(id).state, State::Pending, "before attempt {attempt}");
            assert_eq!(scene.drain().failed, 1);
            scene.clock.advance(Duration::from_secs(600));
        }
        let failed = scene.parcel(id);
        assert_eq!(failed.state, State::Failed);
        assert!(failed.error.is_some_and(|error| error.contains("away")));
        assert!(scene.clock.now().since(began) < Duration::from_secs(7_200));
        assert_eq!(events(&scene, id), ["registered", "failed"]);
        check(&scene);
        scene.source.will(Ok(&daily("2027-01-15", "84.004")));
        assert_eq!(ready(Parcels::new(&scene.sql()).retry_failed(10, scene.clock.now())).unwrap(), 1);
        check(&scene);
        scene.drain();
        assert_eq!(scene.parcel(id).state, State::Priced);
        assert_eq!(events(&scene, id), ["registered", "failed", "pending", "priced"]);
        check(&scene);
    });
}

#[test]
fn an_instance_that_dies_at_every_last_attempt_leaves_a_failed_parcel_not_a_pending_one() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let id = scene.register("u1", None).parcel.id;
        for _ in 0..10 {
            // Claims, and dies.
            let connection = Crashing::after(shared.connect(), 1, false);
            let _dead = ready(drain(
                &Migrated::new(&connection, TABLES),
                &scene.source,
                &scene.clock,
                &scene.entropy,
                &scene.config,
            ));
            scene.clock.advance(LEASE + Duration::from_secs(1));
        }
        assert_eq!(scene.parcel(id).state, State::Pending);
        scene.drain();
        assert_eq!(
            scene.parcel(id).state,
            State::Failed,
            "the eleventh delivery finds that the last attempt never ended"
        );
        check(&scene);
    });
}

#[test]
fn a_canceled_parcel_gets_no_price_and_no_carrier() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let id = scene.register("u1", None).parcel.id;
        let sql = scene.sql();
        let parcels = Parcels::new(&sql);
        let stranger = crate::Owner::Account(1);
        assert!(matches!(ready(parcels.cancel(Some(&stranger), id, START)), Err(Refusal::NoSuchParcel)));
        for _ in 0..2 {
            let canceled = ready(parcels.cancel(Some(&owner()), id, START)).unwrap();
            assert_eq!(canceled.state, State::Canceled);
        }
        scene.drain_all();
        assert_eq!((scene.parcel(id).state, scene.parcel(id).cost), (State::Canceled, None));
        assert!(matches!(ready(parcels.bind_carrier(id, 7, START)), Err(Refusal::Canceled)));
        assert_eq!(events(&scene, id), ["registered", "canceled"]);
        check(&scene);
    });
}

#[test]
fn the_parcels_of_a_session_become_the_accounts_and_those_of_a_deleted_account_nobodys() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let id = scene.register("u1", None).parcel.id;
        let sql = scene.sql();
        let (parcels, account) = (Parcels::new(&sql), crate::Owner::Account(7));
        ready(parcels.claim(&owner(), &account)).unwrap();
        assert!(matches!(ready(parcels.of(Some(&owner()), id)), Err(Refusal::NoSuchParcel)));
        assert_eq!(ready(parcels.of(Some(&account), id)).unwrap().name, "Phone");
        let event = "INSERT INTO jobs (queue, kind, args, visible_at, created_at)
            VALUES ('delivery/account-events', 'account-deleted/1', '{\"account_id\":7,\"deleted_at\":1}', 0, 0)";
        ready(octo_core::Sql::query(&sql, event, &[])).unwrap();
        scene.drain_all();
        assert!(matches!(ready(parcels.of(Some(&account), id)), Err(Refusal::NoSuchParcel)));
        assert_eq!(scene.parcel(id).name, "");
    });
}

#[test]
fn a_price_belongs_to_the_day_in_moscow() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        // 21:30 in London is half past midnight of the next day there.
        scene.clock.advance(UnixMillis(1_800_048_600_000).since(START));
        scene.source.will(Ok(&daily("2027-01-16", "84.004")));
        assert_eq!(scene.clock.now().to_string(), "2027-01-15T21:30:00.000Z");
        scene.register("u1", None);
        scene.drain();
        let day = MoscowDay::parse("2027-01-16").unwrap();
        assert_eq!(ready(sums::of_days(&scene.sql(), day, day)).unwrap().len(), 1);
    });
}
