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
fn rows(sql: &impl Sql, statement: &str) -> Vec<Row> {
    let rows = ready(sql.query(statement, &[]));
    assert!(rows.is_ok(), "{statement}: {rows:?}");
    rows.unwrap_or_default()
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
        assert_eq!(sizes, [3, 2, 2].map(|size| vec![SqlValue::Integer(size)]), "each was carried out once");
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
            assert_eq!(rows(sql, statement), [vec![SqlValue::Null; columns]], "{statement}");
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
    let plans = |database: &Database| match database {
        Database::Sqlite(_) => Vec::new(),
        Database::Postgres(sql) => {
            ready(SCHEMA.apply(sql)).unwrap();
            let statements = [
                "SELECT name FROM things WHERE id = $1",
                "UPDATE things SET size = 1 WHERE id = $1 RETURNING id",
            ];
            statements.map(|statement| sql.plan(statement, 1)).to_vec()
        }
    };
    let plans = plans(&Shared::postgres().connect());
    assert_eq!(plans.len(), 2);
    assert!(plans.iter().all(|plan| plan.contains("Left Join") && plan.contains("Index Scan")), "{plans:?}");
    assert!(plans[1].contains("CTE answer"), "{plans:?}");
}
