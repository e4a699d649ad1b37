//! Every statement goes along an index.

use octo_core::{Sql, sql::Migrated, testing::ready};
use octo_databases::on_both;

use crate::{register, schema::SCHEMA};

#[test]
fn no_statement_reads_a_whole_table() {
    on_both(|shared| {
        let sql = shared.connect();
        ready(Migrated::new(&sql, &[&octo_jobs::SCHEMA, &SCHEMA]).apply()).unwrap();
        let change = register::change(sql.dialect().lock());
        let purchase = register::purchase(sql.dialect().lock());
        for (statement, parameters) in [
            (register::ENROL, 2),
            (purchase.as_str(), 3),
            (change.as_str(), 5),
            (register::APPLIED, 1),
            (register::BY_ID, 1),
            (register::ALL, 2),
            (register::OF_USER, 3),
            (register::HISTORY, 3),
            (register::SUBSCRIBER, 1),
            (register::FULL_NAME, 1),
            (register::END, 2),
            (register::TAKE_CHANGE, 3),
            (register::SWEEP_NOTIFICATIONS, 2),
            (register::SWEEP_SUBSCRIBERS, 2),
        ] {
            sql.expect_index(statement, parameters);
        }
    });
}
