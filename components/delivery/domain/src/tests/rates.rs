//! The rate, and its source.

use std::{sync::atomic::Ordering, thread, time::Duration};

use octo_core::{Clock, UnixMillis, testing::ready};
use octo_databases::on_both;

use super::scene::{FakeSource, RunningClock, START, Scene, check, daily, drain};
use crate::{MoscowDay, Quoted, Rate, RateBook, TABLES, rate_book};

fn current(scene: &Scene) -> Result<String, String> {
    let sql = scene.sql();
    let book = RateBook { sql: &sql, source: &scene.source, clock: &scene.clock, config: &scene.config };
    ready(book.current()).map(|rate| rate.value.to_string()).map_err(|error| error.to_string())
}

fn calls(source: &FakeSource) -> u32 {
    source.calls.load(Ordering::SeqCst)
}

#[test]
fn a_rate_is_asked_for_once_an_hour_and_once_a_day() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for _ in 0..3 {
            assert_eq!(current(&scene), Ok("84.004".into()));
        }
        assert_eq!(calls(&scene.source), 1);
        scene.clock.advance(Duration::from_secs(3601));
        scene.source.will(Ok(&daily("2027-01-15", "85")));
        assert_eq!((current(&scene), calls(&scene.source)), (Ok("85".into()), 2));
        // Half an hour before midnight, and after it.
        let before_midnight = UnixMillis(MoscowDay::containing(START).next().start().0 - 1_800_000);
        scene.clock.advance(before_midnight.since(scene.clock.now()));
        assert_eq!(current(&scene), Ok("85".into()));
        let asked = calls(&scene.source);
        scene.clock.advance(Duration::from_secs(1_900));
        scene.source.will(Ok(&daily("2027-01-16", "86")));
        assert_eq!((current(&scene), calls(&scene.source)), (Ok("86".into()), asked + 1));
    });
}

#[test]
fn whatever_a_source_sends_nothing_bad_is_kept_and_the_last_good_rate_is_used() {
    const BAD: [Result<&str, &str>; 12] = [
        Ok("<html>busy</html>"),
        Ok(""),
        Err("403 Forbidden"),
        Err("302 Found"),
        Ok(r#"{"Date":"2027-01-15","Valute":{}}"#),
        Ok(r#"{"Date":"2027-01-15","Valute":{"EUR":{"Nominal":1,"Value":90}}}"#),
        Ok(r#"{"Date":"2027-01-15","Valute":{"USD":{"Nominal":1,"Value":0}}}"#),
        Ok(r#"{"Date":"2027-01-15","Valute":{"USD":{"Nominal":1,"Value":-84}}}"#),
        Ok(r#"{"Date":"2027-01-15","Valute":{"USD":{"Nominal":1,"Value":null}}}"#),
        Ok(r#"{"Date":"2027-01-15","Valute":{"USD":{"Nominal":1,"Value":"84,0"}}}"#),
        Ok(r#"{"Date":"2027-01-15","Valute":{"USD":{"Nominal":0,"Value":84}}}"#),
        Ok(r#"{"Date":"2026-12-01","Valute":{"USD":{"Nominal":1,"Value":84}}}"#),
    ];
    on_both(|shared| {
        let scene = Scene::new(shared);
        for bad in BAD {
            scene.source.will(bad);
            let asked = calls(&scene.source);
            assert!(current(&scene).is_err(), "{bad:?}: there is no rate yet");
            assert_eq!(calls(&scene.source), asked + 1, "{bad:?}");
            assert!(current(&scene).is_err());
            assert_eq!(calls(&scene.source), asked + 1, "{bad:?}: it is left alone for a moment");
            scene.clock.advance(Duration::from_secs(3));
        }
        scene.source.will(Ok(&daily("2027-01-15", "84.004")));
        assert_eq!(current(&scene), Ok("84.004".into()));
        for bad in BAD {
            scene.source.will(bad);
            scene.clock.advance(Duration::from_secs(3601));
            assert_eq!(current(&scene), Ok("84.004".into()), "{bad:?}");
        }
        let status = ready(rate_book::status(&scene.sql())).unwrap();
        assert_eq!(status.failures, 24);
        assert!(status.error.is_some_and(|error| error.contains("2026-12-01")));
        scene.clock.advance(Duration::from_secs(15 * 24 * 3600));
        assert!(current(&scene).is_err_and(|error| error.contains("2027-01-15")), "too old");
    });
}

#[test]
fn a_rate_of_an_earlier_day_never_takes_the_place_of_a_later_one() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        scene.source.will(Ok(&daily("2027-01-16", "85")));
        assert_eq!(current(&scene), Ok("85".into()), "tomorrow's, in the evening");
        scene.clock.advance(Duration::from_secs(3601));
        scene.source.will(Ok(&daily("2027-01-15", "84")));
        assert_eq!(current(&scene), Ok("85".into()));
        let manual = Rate {
            value: Quoted::parse("90.5").unwrap(),
            nominal: 1,
            day: MoscowDay::parse("2027-01-16").unwrap(),
            source: "administrator 1".into(),
        };
        ready(rate_book::keep(&scene.sql(), &manual, scene.clock.now())).unwrap();
        assert_eq!(current(&scene), Ok("90.5".into()));
    });
}

#[test]
fn of_many_who_find_no_rate_one_asks_and_all_get_it() {
    const INSTANCES: usize = 6;
    on_both(|shared| {
        let scene = Scene::new(shared);
        for number in 0..60 {
            scene.register(&format!("u{number}"), None);
        }
        let (source, config, clock) = (&scene.source, &scene.config, &RunningClock::start());
        thread::scope(|scope| {
            for _ in 0..INSTANCES {
                scope.spawn(move || {
                    let connection = shared.connect();
                    let sql = octo_core::sql::Migrated::new(&connection, TABLES);
                    let entropy = octo_core::testing::FakeEntropy::default();
                    // Busy is asked again by the platform, and here by the next round.
                    for _ in 0..20 {
                        let _again = ready(drain(&sql, source, clock, &entropy, config));
                    }
                });
            }
        });
        scene.clock.advance(octo_jobs::LEASE * 2);
        scene.drain();
        assert_eq!(scene.rows::<(i64,)>("SELECT COUNT(*) FROM parcels WHERE state = 'priced'"), [(60,)]);
        assert_eq!(calls(&scene.source), 1);
        check(&scene);
    });
}

#[test]
fn an_instance_that_dies_while_asking_keeps_the_others_waiting_for_a_moment_only() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let asking = "UPDATE parcel_rates SET fetching_until = 1800003610000";
        ready(octo_core::Sql::query(&scene.sql(), asking, &[])).unwrap();
        // The clock goes on while they wait.
        assert!(current(&scene).is_err());
        scene.clock.advance(Duration::from_secs(10));
        assert_eq!(current(&scene), Ok("84.004".into()));
    });
}

#[test]
fn an_instance_that_read_the_row_before_another_got_its_response_does_not_ask_again() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let sql = scene.sql();
        let book = RateBook { sql: &sql, source: &scene.source, clock: &scene.clock, config: &scene.config };
        let before = ready(rate_book::status(&sql)).unwrap();
        ready(book.current()).unwrap();
        assert!(!ready(book.take_lease(&before, scene.clock.now())).unwrap());
        scene.clock.advance(Duration::from_secs(3601));
        let now = ready(rate_book::status(&sql)).unwrap();
        assert!(ready(book.take_lease(&now, scene.clock.now())).unwrap());
    });
}
