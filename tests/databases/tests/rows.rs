//! Rows come out the same on both databases, though Postgres is asked in a form that always has one.

use octo_core::{
    Sql, SqlValue,
    sql::{Migrated, Row, Schema, Step},
    testing::ready,
};
use octo_databases::{Database, Shared, on_both};

const SCHEMA: Schema = Schema {
    name: "things",
    versions: &[&[Step::Both(
        "CREATE TABLE IF NOT EXISTS things (id {id}, name {text} UNIQUE, size BIGINT NOT NULL DEFAULT 0)",
    )]],
};

/// What a statement returns.
#[allow(clippy::expect_used, reason = "a test's own step")]
fn rows(sql: &impl Sql, statement: &str) -> Vec<Row> {
    ready(sql.query(statement, &[])).expect(statement)
}

fn with_things(test: impl Fn(&Migrated<'_, Database>)) {
    on_both(|shared| {
        let connection = shared.connect();
        let sql = Migrated::new(&connection, &[&SCHEMA]);
        for name in ["'a'", "'b'", "NULL"] {
            assert!(rows(&sql, &format!("INSERT INTO things (name) VALUES ({name})")).is_empty());
        }
        test(&sql);
    });
}

#[test]
fn a_statement_that_finds_nothing_returns_no_row() {
    with_things(|sql| {
        for nothing in [
            "SELECT id, name FROM things WHERE id = 9",
            "SELECT id FROM things WHERE id = 9 UNION SELECT id FROM things WHERE name = 'z'",
            "SELECT 1 FROM things WHERE id = 9 GROUP BY name",
            "WITH found AS (SELECT id FROM things WHERE id = 9) SELECT id FROM found",
            "INSERT INTO things (name) VALUES ('a') ON CONFLICT DO NOTHING RETURNING id",
            "INSERT INTO things (name) SELECT 'c' FROM things WHERE id = 9 RETURNING id",
            "UPDATE things SET size = 1 WHERE id = 9 RETURNING id, name",
            "WITH found AS (SELECT id FROM things WHERE id = 9)
             UPDATE things SET size = 1 FROM found WHERE things.id = found.id RETURNING things.id",
            "DELETE FROM things WHERE id = 9 RETURNING id",
            // These return none whatever they find.
            "INSERT INTO things (name) VALUES ('c')",
            "UPDATE things SET size = 2",
            "WITH found (id) AS (VALUES (1)) UPDATE things SET size = 3 FROM found WHERE things.id = found.id",
            "DELETE FROM things WHERE name = 'c'",
        ] {
            assert_eq!(rows(sql, nothing), Vec::<Row>::new(), "{nothing}");
        }
        let sizes = rows(sql, "SELECT size FROM things ORDER BY id");
        let sizes: Vec<_> = sizes.iter().map(Row::values).collect();
        assert_eq!(sizes, [3, 2, 2].map(|size| [SqlValue::Integer(size)]), "each was carried out once");
    });
}

#[test]
fn a_row_of_nulls_is_a_row() {
    with_things(|sql| {
        for (statement, columns) in [
            ("SELECT name FROM things WHERE id = 3", 1),
            ("SELECT name, name FROM things WHERE id = 3", 2),
            ("UPDATE things SET size = 1 WHERE id = 3 RETURNING name, name", 2),
            ("SELECT MAX(size) FROM things WHERE id = 9", 1),
        ] {
            let found = rows(sql, statement);
            assert_eq!(found.len(), 1, "{statement}");
            assert_eq!(found[0].values(), vec![SqlValue::Null; columns], "{statement}");
        }
    });
}

#[test]
fn columns_have_the_names_that_the_statement_gives_them() {
    with_things(|sql| {
        for statement in [
            "SELECT id, size + 1 AS bigger, name AS title FROM things WHERE id = 1",
            "UPDATE things SET size = 0 WHERE id = 1 RETURNING id, size + 1 AS bigger, name AS title",
            "WITH found AS (SELECT * FROM things) SELECT f.id, f.size + 1 AS bigger, f.name AS title FROM found f
             WHERE f.id = 1",
        ] {
            let mut row = rows(sql, statement).remove(0);
            let title: Option<String> = row.take("title");
            assert_eq!((title.as_deref(), row.take("bigger"), row.take("id")), (Some("a"), Some(1), Some(1)));
            assert_eq!(row.take::<Option<i64>>("name"), None, "{statement}");
        }
    });
}

#[test]
fn rows_come_in_the_order_that_is_asked_for() {
    const THINGS: i64 = 3_000;
    with_things(|sql| {
        rows(sql, "DELETE FROM things");
        let insert = "INSERT INTO things (name, size) SELECT 'thing ' || $1, $2";
        for size in 0..THINGS {
            ready(sql.query(insert, &[size.to_string().into(), (size * 7_919 % THINGS).into()])).unwrap();
        }
        let sizes: Vec<(i64,)> =
            ready(sql.fetch("SELECT size FROM things WHERE id > $1 ORDER BY size DESC", &[0.into()]))
                .unwrap();
        assert_eq!(sizes, (0..THINGS).rev().map(|size| (size,)).collect::<Vec<_>>());
    });
}

#[test]
fn the_plan_that_is_looked_at_is_of_what_is_sent() {
    let Database::Postgres(sql) = Shared::postgres().connect() else { panic!("another database") };
    ready(SCHEMA.apply(&sql)).unwrap();
    let plan = sql.plan("SELECT name FROM things WHERE id = $1", 1);
    assert!(plan.contains("Nested Loop Left Join") && plan.contains("Index Scan"), "{plan}");
    let plan = sql.plan("UPDATE things SET size = 1 WHERE id = $1 RETURNING id", 1);
    assert!(plan.contains("CTE answer") && plan.contains("Index Scan"), "{plan}");
}
