//! Every statement goes along an index.

use octo_core::{Sql, sql::Migrated, testing::ready};
use octo_databases::on_both;

use crate::{register, schema::SCHEMA};

#[test]
fn no_statement_reads_a_whole_table() {
    on_both(|shared| {
        let sql = shared.connect();
        ready(Migrated::new(&sql, &[&SCHEMA]).apply()).unwrap();
        let change = register::change(sql.dialect().lock());
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
            sql.expect_index(statement, parameters);
        }
    });
}
