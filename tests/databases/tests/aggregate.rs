//! The pattern for an aggregate: one row with its lines, and the stock that they take, in one statement on both databases.
//!
//! # Why this way
//! The clouds' SQLite promises no transaction of several statements, and on Postgres an instance that dies inside a
//! transaction leaves it open to the next user of its connection. So what belongs together is **one statement**: an
//! `INSERT` of one row that carries its lines as JSON, and a trigger that expands them. Whatever the trigger cannot do
//! (the stock would become negative, a product is unknown) fails the whole, and nothing is left of it.
//!
//! # Why nothing is taken twice
//! The row has a unique key that the client chose. A repeat finds it and inserts nothing, so no trigger runs.
//!
//! # Why orders do not wait for each other in a circle
//! The trigger takes the products in the order of their numbers: on Postgres two orders lock the same rows in the same order.

// What is not a test itself is a part of one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeMap, thread};

use octo_core::{
    Sql, SqlError,
    sql::{Migrated, Schema, Step},
    testing::ready,
};
use octo_databases::{Shared, on_both};
use proptest::prelude::*;
use serde_json::json;

const SHOP: Schema = Schema { name: "aggregate-pattern", versions: &[FIRST] };

const FIRST: &[Step] = &[
    Step::Both(
        "CREATE TABLE IF NOT EXISTS products (id BIGINT PRIMARY KEY, stock BIGINT NOT NULL CHECK (stock >= 0))",
    ),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS order_lines (
            order_id BIGINT NOT NULL, product_id BIGINT NOT NULL REFERENCES products (id),
            quantity BIGINT NOT NULL CHECK (quantity > 0), PRIMARY KEY (order_id, product_id)
        )",
    ),
    Step::Both(
        "CREATE TABLE IF NOT EXISTS orders (id {id}, unique_key {text} NOT NULL UNIQUE, lines TEXT NOT NULL)",
    ),
    // SQLite has no assertion in a trigger but RAISE: a product that is not there would otherwise be left out.
    Step::Sqlite(
        "CREATE TRIGGER IF NOT EXISTS order_placed AFTER INSERT ON orders BEGIN
            SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed') FROM json_each(NEW.lines)
            WHERE value ->> 'product' NOT IN (SELECT id FROM products);
            INSERT INTO order_lines (order_id, product_id, quantity)
            SELECT NEW.id, value ->> 'product', value ->> 'quantity'
            FROM json_each(NEW.lines) ORDER BY 2;
            UPDATE products SET stock = stock - (SELECT quantity FROM order_lines
                WHERE order_id = NEW.id AND product_id = products.id)
            WHERE id IN (SELECT product_id FROM order_lines WHERE order_id = NEW.id);
        END",
    ),
    Step::Postgres(
        "CREATE FUNCTION order_placed() RETURNS trigger LANGUAGE plpgsql AS $body$
        DECLARE line RECORD;
        BEGIN
            FOR line IN SELECT CAST(value ->> 'product' AS BIGINT) AS product, CAST(value ->> 'quantity' AS BIGINT) AS quantity
                FROM jsonb_array_elements(CAST(NEW.lines AS JSONB)) ORDER BY 1
            LOOP
                INSERT INTO order_lines VALUES (NEW.id, line.product, line.quantity);
                UPDATE products SET stock = stock - line.quantity WHERE id = line.product;
            END LOOP;
            RETURN NULL;
        END $body$",
    ),
    Step::Postgres(
        "CREATE TRIGGER order_placed AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION order_placed()",
    ),
];

const TABLES: &[&Schema] = &[&SHOP];

/// What a customer wants: product and quantity.
type Lines = BTreeMap<i64, i64>;

#[derive(Debug, PartialEq, Eq)]
enum Placed {
    New,
    Before,
    NotInStock,
}

fn place(sql: &impl Sql, key: &str, lines: &Lines) -> Placed {
    let lines: Vec<_> =
        lines.iter().map(|(product, quantity)| json!({ "product": product, "quantity": quantity })).collect();
    let statement =
        "INSERT INTO orders (unique_key, lines) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id";
    let parameters = [key.into(), serde_json::to_string(&lines).unwrap().into()];
    match ready(sql.first::<(i64,)>(statement, &parameters)) {
        Ok(Some(_)) => Placed::New,
        Ok(None) => Placed::Before,
        Err(SqlError::Conflict(_)) => Placed::NotInStock,
        // Others are in the way: the statement did nothing.
        Err(SqlError::Busy) => place_again(sql, key, lines),
        Err(error) => panic!("{error}"),
    }
}

fn place_again(sql: &impl Sql, key: &str, lines: Vec<serde_json::Value>) -> Placed {
    let lines =
        lines.iter().map(|line| (line["product"].as_i64().unwrap(), line["quantity"].as_i64().unwrap()));
    place(sql, key, &lines.collect())
}

fn pairs(sql: &impl Sql, statement: &str) -> Lines {
    ready(sql.fetch::<(i64, i64)>(statement, &[])).unwrap().into_iter().collect()
}

fn stocked(database: &Shared, stock: &Lines) {
    let connection = database.connect();
    let sql = Migrated::new(&connection, TABLES);
    ready(sql.apply()).unwrap();
    for (product, number) in stock {
        let statement = "INSERT INTO products (id, stock) VALUES ($1, $2)";
        ready(sql.query(statement, &[(*product).into(), (*number).into()])).unwrap();
    }
}

/// Customers who order at once, some of them twice; then every rule must hold.
fn customers_at_once(database: &Shared, stock: &Lines, wanted: &[Vec<(String, Lines)>]) {
    stocked(database, stock);
    thread::scope(|scope| {
        for orders in wanted {
            scope.spawn(move || {
                let connection = database.connect();
                for (key, lines) in orders {
                    let first = place(&connection, key, lines);
                    let again = place(&connection, key, lines);
                    if first != Placed::NotInStock {
                        assert_eq!(again, Placed::Before, "{key} was taken twice");
                    }
                }
            });
        }
    });
    let sql = database.connect();
    let left = pairs(&sql, "SELECT id, stock FROM products");
    let taken =
        pairs(&sql, "SELECT product_id, CAST(SUM(quantity) AS BIGINT) FROM order_lines GROUP BY product_id");
    for (product, number) in stock {
        let taken = taken.get(product).copied().unwrap_or(0);
        assert!(left[product] >= 0, "product {product}");
        assert_eq!(
            left[product] + taken,
            *number,
            "product {product}: what was taken is what the orders have"
        );
    }
    // An order has all of its lines or does not exist.
    let lines = pairs(&sql, "SELECT order_id, COUNT(*) FROM order_lines GROUP BY order_id");
    let orders: Vec<(i64, String)> = ready(sql.fetch("SELECT id, lines FROM orders", &[])).unwrap();
    assert_eq!(orders.len(), lines.len());
    for (id, text) in orders {
        let wanted: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(lines[&id], wanted.len() as i64);
    }
}

fn some_lines() -> impl Strategy<Value = Lines> {
    proptest::collection::btree_map(0..5_i64, 1..4_i64, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_ordered_at_once_no_stock_is_overrun_and_no_order_is_half(
        stock in proptest::collection::vec(0..12_i64, 5),
        wanted in proptest::collection::vec(proptest::collection::vec((0..30_u8, some_lines()), 1..8), 4),
    ) {
        let stock: Lines = (0..).zip(stock).collect();
        let wanted: Vec<Vec<_>> = (0..).zip(wanted).map(|(customer, orders): (usize, _)| {
            // Some keys are those of another order of the same customer.
            orders.into_iter().map(|(key, lines)| (format!("{customer}/{key}"), lines)).collect()
        }).collect();
        on_both(|database| customers_at_once(database, &stock, &wanted));
    }
}

#[test]
fn an_order_for_a_product_that_there_is_not_leaves_nothing_behind() {
    on_both(|database| {
        stocked(database, &Lines::from([(1, 5)]));
        let sql = database.connect();
        assert_eq!(place(&sql, "a", &Lines::from([(1, 2), (9, 1)])), Placed::NotInStock);
        assert_eq!(pairs(&sql, "SELECT id, stock FROM products"), Lines::from([(1, 5)]));
        assert_eq!(pairs(&sql, "SELECT id, 1 FROM orders"), Lines::new());
        assert_eq!(place(&sql, "a", &Lines::from([(1, 5)])), Placed::New, "its key is free");
        assert_eq!(place(&sql, "b", &Lines::from([(1, 1)])), Placed::NotInStock);
    });
}
