//! Every statement goes along an index.

use octo_core::sql::Migrated;
use octo_core::testing::ready;
use octo_databases::Sqlite;

use crate::{register, schema::SCHEMA};

#[test]
fn no_statement_reads_a_whole_table() {
    let sql = Sqlite::in_memory();
    ready(Migrated::new(&sql, &[&SCHEMA]).apply()).unwrap();
    let change = register::change("");
    for (statement, parameters) in [
        (register::ENROL, 2),
        (register::PURCHASE, 3),
        (change.as_str(), 5),
        (register::APPLIED, 1),
        (register::BY_ID, 1),
        (register::ALL, 2),
        (register::OF_USER, 3),
        (register::HISTORY, 3),
        (register::SUBSCRIBER, 1),
    ] {
        let plan = sql.plan(statement, parameters);
        assert!(!plan.contains("SCAN"), "{statement}\n{plan}");
    }
}
