//! Schemas are applied when they are missed, by the instance that comes first, and once.

use std::{sync::Barrier, thread};

use octo_core::{
    Sql, SqlError, SqlValue,
    sql::{Migrated, Schema, Step},
    testing::ready,
};
use octo_databases::{Shared, on_both};

const FIRST: &[Step] = &[
    Step::Both("CREATE TABLE IF NOT EXISTS things (id {id}, name {text} NOT NULL UNIQUE, data {bytes})"),
    Step::Both("CREATE TABLE IF NOT EXISTS counts (things BIGINT NOT NULL)"),
    Step::Both("INSERT INTO counts SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counts)"),
    Step::Sqlite(
        "CREATE TRIGGER IF NOT EXISTS things_counted AFTER INSERT ON things
         BEGIN UPDATE counts SET things = things + 1; END",
    ),
    Step::Postgres(
        "CREATE OR REPLACE FUNCTION count_thing() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN UPDATE counts SET things = things + 1; RETURN NULL; END $$",
    ),
    Step::Postgres(
        "CREATE OR REPLACE TRIGGER things_counted AFTER INSERT ON things
         FOR EACH ROW EXECUTE FUNCTION count_thing()",
    ),
];
const SECOND: &[Step] = &[Step::Both("CREATE TABLE IF NOT EXISTS more (id {id})")];
const THIRD: &[Step] =
    &[Step::Column { table: "things", name: "size", definition: "BIGINT NOT NULL DEFAULT 7" }];

const OLD: Schema = Schema { name: "things", versions: &[FIRST] };
const NEW: Schema = Schema { name: "things", versions: &[FIRST, SECOND] };

const NEWEST: Schema = Schema { name: "things", versions: &[FIRST, SECOND, THIRD] };

const INSERT: &str = "INSERT INTO things (name, data) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id";

#[test]
fn tables_appear_when_they_are_missed_and_versions_follow() {
    on_both(|shared| {
        let sql = shared.connect();
        let old = Migrated::new(&sql, &[&OLD]);
        let inserted: Option<(i64,)> =
            ready(old.first(INSERT, &["a".into(), [1_u8, 2].as_slice().into()])).unwrap();
        assert_eq!(inserted, Some((1,)));
        let lacking = ready(old.query("SELECT id FROM more", &[]));
        assert!(matches!(lacking, Err(SqlError::Missing(_))), "{lacking:?}");

        let new = Migrated::new(&sql, &[&NEW]);
        assert_eq!(ready(new.query("SELECT id FROM more", &[])).unwrap(), Vec::<octo_core::sql::Row>::new());
        let kept: Option<(String, Vec<u8>)> = ready(new.first("SELECT name, data FROM things", &[])).unwrap();
        assert_eq!(kept, Some(("a".to_owned(), vec![1, 2])));
        // A database that is newer than the program is no error.
        ready(old.apply()).unwrap();
    });
}

#[test]
fn a_column_appears_when_it_is_missed_and_the_rows_there_are_have_its_default() {
    const WITH_SIZE: &str = "INSERT INTO things (name, size) VALUES ($1, $2)";
    on_both(|shared| {
        let sql = shared.connect();
        ready(Migrated::new(&sql, &[&NEW]).query(INSERT, &["a".into(), SqlValue::Null])).unwrap();
        let newest = Migrated::new(&sql, &[&NEWEST]);
        ready(newest.query(WITH_SIZE, &["b".into(), 8.into()])).unwrap();
        let rows: Vec<(String, i64)> =
            ready(newest.fetch("SELECT name, size FROM things ORDER BY id", &[])).unwrap();
        assert_eq!(rows, [("a".to_owned(), 7), ("b".to_owned(), 8)]);
        // An instance that is late finds it there.
        ready(sql.query("DELETE FROM schema_versions WHERE version = 3", &[])).unwrap();
        ready(newest.apply()).unwrap();
    });
}

#[test]
fn a_text_with_a_nul_is_refused_before_it_reaches_either_database() {
    on_both(|shared| {
        let sql = shared.connect();
        let sql = Migrated::new(&sql, &[&OLD]);
        let refused = ready(sql.query(INSERT, &["a\0b".into(), SqlValue::Null]));
        assert_eq!(refused, Err(SqlError::Unstorable));
    });
}

#[test]
fn instances_that_come_at_once_apply_a_schema_once() {
    const INSTANCES: usize = 12;
    on_both(|shared| {
        let start = Barrier::new(INSTANCES);
        thread::scope(|scope| {
            for instance in 0..INSTANCES {
                let start = &start;
                scope.spawn(move || {
                    let sql = shared.connect();
                    let sql = Migrated::new(&sql, &[&NEW]);
                    start.wait();
                    let name = format!("thing {instance}");
                    let parameters = [name.into(), octo_core::SqlValue::Null];
                    let id: Option<(i64,)> = ready(sql.first(INSERT, &parameters)).unwrap();
                    assert!(id.is_some());
                });
            }
        });
        let sql = shared.connect();
        let counted: Vec<(i64,)> = ready(sql.fetch("SELECT things FROM counts", &[])).unwrap();
        assert_eq!(counted, [(INSTANCES as i64,)]);
    });
}

#[test]
fn sqlite_keeps_a_log_of_its_writes_from_then_on() {
    let shared = Shared::sqlite();
    ready(NEW.apply(&shared.connect())).unwrap();
    let mode: Option<(String,)> = ready(shared.connect().first("PRAGMA journal_mode", &[])).unwrap();
    assert_eq!(mode, Some(("wal".to_owned(),)));
}

#[test]
fn failures_are_told_apart() {
    on_both(|shared| {
        let connection = shared.connect();
        let sql = Migrated::new(&connection, &[&OLD]);
        ready(sql.query(INSERT, &["a".into(), octo_core::SqlValue::Null])).unwrap();
        let twice = ready(sql.query("INSERT INTO things (name) VALUES ($1)", &["a".into()]));
        assert!(matches!(twice, Err(SqlError::Conflict(_))), "{twice:?}");
        let nonsense = ready(connection.query("SELEC 1", &[]));
        assert!(matches!(nonsense, Err(SqlError::Failed(_))), "{nonsense:?}");
        let missing = ready(connection.query("SELECT colour FROM things", &[]));
        assert!(matches!(missing, Err(SqlError::Missing(_))), "{missing:?}");
        let other_type: Result<Vec<(i64,)>, _> = ready(sql.fetch("SELECT name FROM things", &[]));
        assert!(matches!(other_type, Err(SqlError::Failed(_))), "{other_type:?}");
    });
}
