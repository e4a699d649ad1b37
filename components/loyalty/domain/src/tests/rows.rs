//! How the databases carry the statements out.

use octo_core::Sql;
use octo_databases::on_both;

use super::scene::Scene;
use crate::{ledger::TRANSFERS, schema};

#[test]
fn an_index_serves_every_statement() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        // On Postgres it is inside a function: what the function consists of is looked at as on SQLite.
        if scene.0.dialect() == octo_core::sql::Dialect::Sqlite {
            scene.0.expect_index(schema::post(octo_core::sql::Dialect::Sqlite), 17);
        }
        let transfers = |conditions: &str| format!("{TRANSFERS} WHERE {conditions}");
        for (statement, parameters) in [
            (transfers("request = $1"), 1),
            ("UPDATE points_transfers SET comment = '' WHERE member_id = $1".into(), 1),
            (transfers("id = $1 AND missing = 0"), 1),
            (transfers("member_id = $1 AND missing = 0 AND id < $2 ORDER BY id DESC LIMIT $3"), 3),
            (
                transfers("member_id = $1 AND missing = 0 AND at >= $2 AND at < $3 AND id > $4 ORDER BY id LIMIT $5"),
                5,
            ),
            (
                "SELECT balance FROM points_transfers WHERE member_id = $1 AND missing = 0 AND at < $2
                    ORDER BY at DESC, id DESC LIMIT 1"
                    .into(),
                2,
            ),
            (
                "SELECT id FROM points_lots WHERE member_id = $1 AND remaining > 0 AND ends_at <= $2
                    ORDER BY ends_at, id LIMIT $3"
                    .into(),
                3,
            ),
            (
                "SELECT id FROM points_lots WHERE remaining > 0 AND ends_at <= $1 ORDER BY ends_at, id LIMIT $2".into(),
                2,
            ),
            (
                "SELECT id FROM points_holds WHERE settled_by IS NULL AND ends_at <= $1 ORDER BY ends_at, id LIMIT $2"
                    .into(),
                2,
            ),
            ("SELECT id FROM points_holds WHERE member_id = $1 AND settled_by IS NULL ORDER BY id LIMIT $2".into(), 2),
            ("SELECT id FROM points_transfers WHERE missing > 0 AND at < $1 ORDER BY at LIMIT $2".into(), 2),
        ] {
            scene.0.expect_index(&statement, parameters);
        }
    });
}
