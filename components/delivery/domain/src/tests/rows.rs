//! Lists and statements.

use octo_core::{sql::Migrated, testing::ready};
use octo_databases::{Recorded, on_both};

use super::scene::{START, Scene, drain, owner};
use crate::{Filter, MoscowDay, Parcels, State, TABLES, quota, rate_book, sums, types};

#[test]
fn every_filter_finds_what_it_says_and_pages_meet_each_parcel_once() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        for number in 0..7 {
            scene.register(&format!("u{number}"), None);
        }
        scene.drain();
        let sql = scene.sql();
        let parcels = Parcels::new(&sql);
        ready(parcels.cancel(Some(&owner()), 3, START)).unwrap();
        ready(parcels.bind_carrier(5, 9, START)).unwrap();
        scene.register("pending", None);
        let of_owner = Filter { owner: Some(owner().key()), ..Filter::default() };
        let ids = |filter: &Filter| -> Vec<i64> {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = ready(parcels.list(filter, before, 3)).unwrap();
                seen.extend(page.iter().map(|parcel| parcel.id));
                let Some(last) = page.last() else { return seen };
                before = Some(last.id);
            }
        };
        assert_eq!(ids(&of_owner), [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(ids(&Filter { priced: Some(false), ..of_owner.clone() }), [8]);
        assert_eq!(ids(&Filter { priced: Some(true), ..of_owner.clone() }).len(), 7);
        assert_eq!(ids(&Filter { state: Some(State::Canceled), ..of_owner.clone() }), [3]);
        assert_eq!(ids(&Filter { carrier: Some(9), ..Filter::default() }), [5]);
        assert_eq!(ids(&Filter { type_id: Some(1), ..of_owner.clone() }), [0_i64; 0]);
        assert_eq!(ids(&Filter { owner: Some("account/1".into()), ..Filter::default() }), [0_i64; 0]);
        let today = MoscowDay::containing(START);
        let day = |from, to| Filter { from: Some(from), to: Some(to), ..of_owner.clone() };
        assert_eq!(ids(&day(today, today)).len(), 8, "a day is a whole day");
        assert_eq!(ids(&day(today.next(), today.next())), [0_i64; 0]);
        let (count, page) = ready(parcels.page(&Filter { priced: Some(true), ..of_owner }, 5, 3)).unwrap();
        assert_eq!((count, page.iter().map(|parcel| parcel.id).collect::<Vec<_>>()), (7, vec![2, 1]));
    });
}

#[test]
fn a_client_registers_so_many_in_a_day_whatever_the_clocks_say() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let sql = scene.sql();
        let take = |client: &str, day: i64| ready(quota::take(&sql, client, MoscowDay(day), 2)).unwrap();
        assert_eq!([take("a", 5), take("a", 5), take("a", 5)], [true, true, false]);
        assert!(!take("a", 4), "a clock that is behind");
        assert!(take("b", 5) && take("a", 6), "others, and other days");
        assert!(!ready(quota::sweep(&sql, MoscowDay(7))).unwrap());
        assert_eq!(scene.rows::<(String,)>("SELECT client FROM parcel_quotas"), [("a".to_owned(),)]);
    });
}

#[test]
fn types_are_added_and_renamed() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        let sql = scene.sql();
        let added = ready(types::add(&sql, "Книги")).unwrap();
        assert_eq!(added.id, 4);
        assert!(matches!(ready(types::add(&sql, "Книги")), Err(types::Refusal::NameTaken)));
        assert_eq!(ready(types::rename(&sql, 4, "Books")).unwrap().name, "Books");
        assert!(matches!(ready(types::rename(&sql, 4, "Разное")), Err(types::Refusal::NameTaken)));
        assert!(matches!(ready(types::rename(&sql, 9, "x")), Err(types::Refusal::NoSuchType)));
        // An instance that is late applies the schema again.
        ready(types::rename(&sql, 1, "Clothes")).unwrap();
        ready(octo_core::Sql::query(&sql, "DELETE FROM schema_versions WHERE name = 'delivery'", &[]))
            .unwrap();
        if octo_core::Sql::dialect(&sql) == octo_core::sql::Dialect::Sqlite {
            ready(sql.apply()).unwrap();
        }
        let names: Vec<String> = ready(types::all(&sql)).unwrap().into_iter().map(|kind| kind.name).collect();
        assert_eq!(names, ["Clothes", "Электроника", "Разное", "Books"]);
    });
}

#[test]
fn an_index_serves_every_statement() {
    on_both(|shared| {
        let scene = Scene::new(shared);
        ready(scene.sql().apply()).unwrap();
        let recorded = Recorded::new(shared.connect());
        let sql = Migrated::new(&recorded, TABLES);
        let parcels = Parcels::new(&sql);
        let new = super::scene::parcel();
        let key = crate::parcels::Key { key: "k", fingerprint: "f" };
        let id = ready(parcels.register(&owner(), &new, "u1", Some(key), START)).unwrap().parcel.id;
        ready(parcels.register(&owner(), &new, "u2", Some(key), START)).unwrap();
        ready(drain(&sql, &scene.source, &scene.clock, &scene.entropy, &scene.config)).unwrap();
        let filter =
            Filter { owner: Some(owner().key()), type_id: Some(2), priced: Some(true), ..Filter::default() };
        ready(parcels.list(&filter, None, 10)).unwrap();
        ready(parcels.list(&Filter { carrier: Some(1), ..Filter::default() }, Some(9), 10)).unwrap();
        ready(parcels.list(&Filter::default(), Some(9), 10)).unwrap();
        ready(parcels.page(&filter, 0, 10)).unwrap();
        ready(parcels.of(Some(&owner()), id)).unwrap();
        ready(parcels.by_status(&owner(), "u1")).unwrap();
        ready(parcels.has_any(&owner())).unwrap();
        ready(parcels.claim(&owner(), &crate::Owner::Account(1))).unwrap();
        ready(parcels.history(id, 0, 10)).unwrap();
        ready(parcels.receipt(id)).unwrap();
        ready(parcels.log(MoscowDay(1), 0, 10)).unwrap();
        ready(parcels.bind_carrier(id, 1, START)).unwrap();
        ready(parcels.retry_failed(10, START)).unwrap();
        ready(parcels.forget(1)).unwrap();
        ready(parcels.backlog()).unwrap();
        ready(sums::of_days(&sql, MoscowDay(1), MoscowDay(2))).unwrap();
        ready(sums::from_log(&sql, MoscowDay(1))).unwrap();
        ready(sums::rebuild(&sql, MoscowDay(1))).unwrap();
        ready(rate_book::status(&sql)).unwrap();
        ready(quota::take(&sql, "client", MoscowDay(5), 1)).unwrap();
        ready(quota::sweep(&sql, MoscowDay(5))).unwrap();
        let connection = shared.connect();
        for (statement, parameters) in recorded.statements() {
            // There are few types.
            connection.expect_index(&statement, parameters);
        }
    });
}
