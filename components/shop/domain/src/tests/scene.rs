//! A database with a shop, and what the tests ask it.

use std::{ops::Add, sync::LazyLock, time::Duration};

use octo_core::{
    UnixMillis,
    sql::{FromRow, Migrated},
    testing::{FakeClock, FakeEntropy, ready},
};
use octo_databases::{Database, Shared};

use crate::{
    Carts, Catalogue, Checkout, Config, Customer, Key, Line, NewProduct, Order, Orders, Product, Shop,
    TABLES,
    cart::{self, Way},
    checkout::{Agreement, Buyer, Refusal},
    customer, stock,
};

pub(super) const START: UnixMillis = UnixMillis(1_800_000_000_000);

pub(super) fn after(seconds: u64) -> UnixMillis {
    START.add(Duration::from_secs(seconds))
}

pub(super) fn config() -> Config {
    Config {
        processing: Duration::from_secs(5),
        shipping: Duration::from_secs(5),
        delivery_seconds: 60..=300,
        delivered_shown: Duration::from_secs(300),
        paid_discount: 10,
    }
}

pub(super) fn product(name: &str, price: i64, stock: i64) -> NewProduct {
    NewProduct {
        name: name.into(),
        category: "Молочные продукты".into(),
        price,
        stock,
        description: None,
        manufacturer: None,
    }
}

pub(super) fn buyer(account: i64) -> Buyer {
    Buyer { customer: Customer::Account(account), name: format!("user {account}"), paid_access: false }
}

pub(super) fn key<'a>(key: &'a str, fingerprint: &'a str) -> Option<Key<'a>> {
    Some(Key { key, fingerprint })
}

/// An instance's own connection.
pub(super) struct Scene {
    pub(super) database: Database,
    pub(super) clock: FakeClock,
}

/// All instances draw from it, so none gets what another got.
pub(super) static ENTROPY: LazyLock<FakeEntropy> = LazyLock::new(FakeEntropy::default);

impl Scene {
    pub(super) fn on(shared: &Shared) -> Self {
        let scene = Self::joining(shared);
        ready(scene.sql().apply()).unwrap();
        scene
    }

    /// A further instance.
    pub(super) fn joining(shared: &Shared) -> Self {
        Self { database: shared.connect(), clock: FakeClock::at(START) }
    }

    pub(super) fn sql(&self) -> Migrated<'_, Database> {
        Migrated::new(&self.database, TABLES)
    }

    pub(super) fn add(&self, new: &NewProduct) -> Product {
        let uuid = crate::uuid(&*ENTROPY);
        ready(Catalogue::new(&self.sql()).add(new, &uuid, 9, None, START)).unwrap().0
    }

    pub(super) fn put(&self, account: i64, product: &Product, quantity: i64) -> Result<Line, cart::Refusal> {
        self.put_as(&Customer::Account(account), product, quantity, Way::Added)
    }

    pub(super) fn put_as(
        &self,
        customer: &Customer,
        product: &Product,
        quantity: i64,
        way: Way,
    ) -> Result<Line, cart::Refusal> {
        let line = crate::uuid(&*ENTROPY);
        ready(Carts::new(&self.sql()).put(customer, &line, &product.uuid, quantity, way, START))
    }

    pub(super) fn cart(&self, account: i64) -> Vec<Line> {
        ready(Carts::new(&self.sql()).lines(&Customer::Account(account))).unwrap()
    }

    pub(super) fn order(&self, account: i64, agreement: Agreement) -> Result<Order, Refusal> {
        self.order_by(account, agreement, None).map(|(order, _)| order)
    }

    pub(super) fn order_by(
        &self,
        account: i64,
        agreement: Agreement,
        key: Option<Key<'_>>,
    ) -> Result<(Order, bool), Refusal> {
        let (sql, config) = (self.sql(), config());
        let checkout = Checkout { sql: &sql, clock: &self.clock, entropy: &*ENTROPY, config: &config };
        ready(checkout.order_cart(&buyer(account), agreement, key))
    }

    pub(super) fn orders<T>(&self, act: impl AsyncFnOnce(&Orders<'_, Migrated<'_, Database>>) -> T) -> T {
        let sql = self.sql();
        ready(act(&Orders::new(&sql)))
    }

    pub(super) fn stock(&self, product: &Product) -> i64 {
        ready(Catalogue::new(&self.sql()).any(&product.uuid)).unwrap().stock
    }

    pub(super) fn spent(&self, account: i64) -> i64 {
        ready(customer::spent(&self.sql(), &Customer::Account(account))).unwrap()
    }

    /// Carries out what is due.
    pub(super) fn drain(&self, now: UnixMillis) {
        self.clock.set(now);
        let (sql, config) = (self.sql(), config());
        let shop = Shop { sql: &sql, clock: &self.clock, entropy: &*ENTROPY, config: &config };
        let jobs = shop.jobs();
        while ready(jobs.performer(&sql, &self.clock, &*ENTROPY).drain(now.add(Duration::from_secs(60))))
            .unwrap()
            .more
        {}
    }

    pub(super) fn rows<R: FromRow>(&self, statement: &str) -> Vec<R> {
        ready(octo_core::Sql::fetch(&self.database, statement, &[])).unwrap()
    }

    /// Fails unless everything adds up.
    pub(super) fn expect_sound(&self) {
        let sql = self.sql();
        assert_eq!(ready(stock::wrong(&sql)).unwrap(), [0_i64; 0], "the ledger of the stock");
        for (what, statement) in [
            (
                "stock + sold = delivered in",
                "SELECT s.product_id FROM shop_stock s WHERE s.stock + (
                    SELECT COALESCE(SUM(l.quantity), 0) FROM shop_order_lines l JOIN shop_orders o ON o.id = l.order_id
                    WHERE l.product_id = s.product_id AND o.status <> 'CANCELLED') <> (
                    SELECT COALESCE(SUM(c.change), 0) FROM shop_stock_changes c
                    WHERE c.product_id = s.product_id AND c.reason NOT IN ('order', 'cancellation'))",
            ),
            (
                "an order has all of its lines",
                "SELECT id FROM shop_orders o WHERE line_count <> (
                    SELECT COUNT(*) FROM shop_order_lines l WHERE l.order_id = o.id)",
            ),
            (
                "what was spent is what the orders come to",
                "SELECT 1 FROM shop_customers c WHERE spent <> (
                    SELECT COALESCE(SUM(total), 0) FROM shop_orders o WHERE o.owner = c.owner AND status <> 'CANCELLED')",
            ),
            (
                "a cart has as many lines as it says",
                "SELECT 1 FROM shop_carts c WHERE lines <> (
                    SELECT COUNT(*) FROM shop_cart_lines l WHERE l.owner = c.owner)",
            ),
            ("no line is left claimed", "SELECT id FROM shop_cart_lines WHERE order_id IS NOT NULL"),
            (
                "a category has as many products as it says",
                "SELECT 1 FROM shop_categories c WHERE products <> (
                    SELECT COUNT(*) FROM shop_products p WHERE p.category = c.name AND p.withdrawn_at IS NULL)",
            ),
            (
                "an order is counted once for each status it had",
                "SELECT 1 FROM (SELECT status, COUNT(*) AS number FROM shop_order_events GROUP BY status) e
                WHERE number <> (SELECT SUM(value) FROM shop_figures WHERE name = 'status/' || e.status)",
            ),
        ] {
            let found = ready(octo_core::Sql::query(&self.database, statement, &[])).unwrap();
            assert!(found.is_empty(), "{what}: {found:?}");
        }
        let orders: Vec<Order> =
            ready(Orders::new(&sql).list(&Default::default(), i64::MAX, 10_000)).unwrap();
        for order in orders {
            let lines: i64 = order.lines.iter().map(crate::orders::OrderLine::total).sum();
            assert_eq!(order.total + order.discount, lines, "{order:?}");
        }
    }
}
