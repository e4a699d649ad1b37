//! How the databases carry the statements out.

use octo_databases::on_both;

use super::scene::Scene;

#[test]
fn an_index_serves_every_statement() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        for (statement, parameters) in [
            ("SELECT id FROM shop_products WHERE uuid = $1", 1),
            ("SELECT id FROM shop_products WHERE withdrawn_at IS NULL AND category = $1 ORDER BY id LIMIT $2", 2),
            (
                "SELECT id FROM shop_products WHERE withdrawn_at IS NULL AND category = $1 AND (name, id) > ($2, $3)
                ORDER BY name, id LIMIT $4",
                4,
            ),
            (
                "SELECT id FROM shop_products WHERE withdrawn_at IS NULL AND category = $1 AND (price, id) < ($2, $3)
                ORDER BY price DESC, id DESC LIMIT $4",
                4,
            ),
            (
                "SELECT id FROM shop_products WHERE withdrawn_at IS NULL AND (name, id) > ($1, $2)
                ORDER BY name, id LIMIT $3",
                3,
            ),
            (
                "SELECT id FROM shop_products WHERE withdrawn_at IS NULL AND price BETWEEN $1 AND $2
                ORDER BY price, id LIMIT $3",
                3,
            ),
            ("SELECT id FROM shop_cart_lines WHERE owner = $1 ORDER BY id", 1),
            ("DELETE FROM shop_cart_lines WHERE owner = $1 AND product_id = $2", 2),
            ("SELECT id FROM shop_orders WHERE owner = $1 AND id < $2 ORDER BY id DESC LIMIT $3", 3),
            ("SELECT id FROM shop_orders WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3", 3),
            ("SELECT id FROM shop_orders WHERE uuid = $1", 1),
            ("SELECT id FROM shop_orders WHERE request = $1", 1),
            ("SELECT id FROM shop_order_events WHERE order_id = $1 AND id > $2 ORDER BY id LIMIT $3", 3),
            ("SELECT product_id FROM shop_order_lines WHERE order_id = $1", 1),
            ("SELECT id FROM shop_stock_changes WHERE product_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3", 3),
            ("SELECT id FROM shop_stock_changes WHERE request = $1", 1),
            (
                "SELECT product_id FROM shop_stock WHERE stock < $1 AND (stock, product_id) > ($2, $3)
                ORDER BY stock, product_id LIMIT $4",
                4,
            ),
            ("SELECT owner FROM shop_carts WHERE changed_at < $1 AND lines = 0 LIMIT $2", 2),
            ("SELECT product_id FROM shop_views WHERE owner = $1 ORDER BY at DESC, product_id DESC LIMIT $2", 2),
        ] {
            scene.database.expect_index(statement, parameters);
        }
    });
}
