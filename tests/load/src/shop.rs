//! What a shop costs: reading a catalogue of a thousand and of twenty thousand products, and ordering, beside the least
//! that reading and anything durable cost.
//!
//! In this process, without components; what is ordered on connections whose commits are durable. The small and the large
//! catalogue are read in turn, request by request, so that what slows the machine slows both.

use std::fmt::{self, Display, Formatter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use octo_core::{
    Clock, Entropy, Sql, UnixMillis,
    sql::{Dialect, Migrated},
};
use octo_databases::{Database, Shared};
use octo_shop::{
    Carts, Catalogue, Checkout, Config, Customer, NewProduct, Shop, TABLES,
    cart::Way,
    catalogue::{Direction, Filter, Sort},
    checkout::{Agreement, Buyer},
    imports::{self, Row},
    search::Search,
};
use serde::Serialize;

use crate::jobs;
use crate::native::{SystemClock, ready};
use crate::options::Options;
use crate::report::{median, percentiles};

/// The name of these measurements.
pub(crate) const NAME: &str = "shop";

/// Products in the two catalogues.
const SIZES: [usize; 2] = [1_000, 20_000];
/// Categories, each with as many of the products.
const CATEGORIES: usize = 11;
/// Requests of each kind to each database, in a round.
const READS: usize = 300;
/// Customers who order in turn.
const CUSTOMERS: usize = 500;
/// Lines of an order.
const LINES: usize = 2;

/// One database in one round. Rates in a second, times in microseconds.
#[derive(Clone, Debug, Serialize)]
struct Round {
    database: &'static str,
    floor: f64,
    carts: f64,
    orders: f64,
    reads: Vec<Read>,
}

/// What reading takes in the small and in the large catalogue: p50 and p99.
#[derive(Clone, Debug, Serialize)]
struct Read {
    what: &'static str,
    small: [f64; 2],
    large: [f64; 2],
}

/// What was measured of the shop.
#[derive(Debug, Serialize)]
pub(crate) struct ShopReport {
    rounds: Vec<Round>,
    /// Seconds that an import into the large catalogue took.
    imports: Vec<(&'static str, f64)>,
}

/// Measures both databases, as many rounds as the options say.
pub(crate) fn measure(options: &Options) -> anyhow::Result<ShopReport> {
    let (mut rounds, mut taken) = (Vec::new(), Vec::new());
    for (database, make) in [("SQLite", Shared::sqlite as fn() -> Shared), ("Postgres", Shared::postgres)] {
        let shops = [make(), make()];
        for (shared, size) in shops.iter().zip(SIZES) {
            eprintln!("{size} products in {database}");
            let began = Instant::now();
            fill(&Migrated::new(&shared.connect_durably(), TABLES), size)?;
            if size == SIZES[1] {
                taken.push((database, began.elapsed().as_secs_f64()));
            }
        }
        for round in 1..=options.rounds {
            eprintln!("round {round} of {}: the shop on {database}", options.rounds);
            rounds.push(one(database, &shops, options.duration)?);
        }
    }
    Ok(ShopReport { rounds, imports: taken })
}

fn one(database: &'static str, shops: &[Shared; 2], duration: Duration) -> anyhow::Result<Round> {
    let connections = shops.each_ref().map(Shared::connect);
    let both = connections.each_ref().map(|connection| Migrated::new(connection, TABLES));
    let reads = KINDS.map(|(what, read)| {
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..READS {
            for (sql, times) in both.iter().zip(&mut times) {
                let began = Instant::now();
                read(sql, number)?;
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        let [small, large] = times.map(percentiles);
        Ok::<_, anyhow::Error>(Read { what, small, large })
    });
    let reads = reads.into_iter().collect::<Result<_, _>>()?;
    // What is written is written to the large one.
    let [_, large] = shops;
    let connection = large.connect_durably();
    let sql = Migrated::new(&connection, TABLES);
    let create =
        "CREATE TABLE IF NOT EXISTS floor (id BIGINT PRIMARY KEY, args TEXT NOT NULL, done_at BIGINT)";
    ready(sql.query(create, &[]))?;
    let floor = jobs::rate(duration, || insert_and_update(&sql))?;
    let number = std::cell::Cell::new(0);
    let next = || {
        number.set((number.get() + 1) % CUSTOMERS);
        number.get()
    };
    let carts = jobs::rate(duration, || {
        let number = next();
        fill_cart(&sql, number)?;
        ready(Carts::new(&sql).clear(&customer(number)))?;
        Ok(1)
    })?;
    let orders = jobs::rate(duration, || {
        let number = next();
        fill_cart(&sql, number)?;
        order(&sql, number)?;
        Ok(1)
    })?;
    Ok(Round { database, floor, carts, orders, reads })
}

type Reading = fn(&Migrated<'_, Database>, usize) -> anyhow::Result<()>;

const KINDS: [(&str, Reading); 8] = [
    ("a bare SELECT", |sql, number| {
        let statement = "SELECT id FROM shop_products WHERE id = $1";
        expect(ready(sql.first::<(i64,)>(statement, &[(1 + number as i64).into()]))?.is_some())
    }),
    ("one product", |sql, number| {
        let statement = "SELECT uuid FROM shop_products WHERE id = $1";
        let (uuid,): (String,) =
            ready(sql.first(statement, &[(1 + number as i64).into()]))?.ok_or_else(|| anyhow!("none"))?;
        ready(Catalogue::new(sql).sold(&uuid)).map(drop)
    }),
    ("a page of 20 of a category, by price", |sql, number| {
        let filter = Filter {
            category: Some(category(number)),
            sort: Sort::Price,
            direction: Direction::Descending,
            ..Filter::default()
        };
        let found = ready(Catalogue::new(sql).list(&filter, None, 20))?;
        expect(found.is_some_and(|found| found.len() == 20))
    }),
    ("the same, deep in the list", |sql, number| {
        let filter = Filter { category: Some(category(number)), sort: Sort::Price, ..Filter::default() };
        let place = octo_shop::catalogue::Place { id: 0, name: None, price: Some(50_000) };
        let found = ready(Catalogue::new(sql).list(&filter, Some(&place), 20))?;
        expect(found.is_some_and(|found| found.len() == 20))
    }),
    ("the original's page of 100, with its total", |sql, number| {
        let filter = Filter { category: Some(category(number)), ..Filter::default() };
        let (total, page) = ready(Catalogue::new(sql).page(&filter, 0, 50))?;
        expect(total > 50 && page.len() == 50)
    }),
    ("a search that finds one", |sql, number| {
        let filter = Filter { search: Search::of(&format!("{number}Й")), ..Filter::default() };
        let found = ready(Catalogue::new(sql).list(&filter, None, 20))?;
        expect(found.is_some_and(|found| found.len() == 1))
    }),
    ("the same, with a word that all products have", |sql, number| {
        let filter = Filter { search: Search::of(&format!("ТОВАР {number}Й")), ..Filter::default() };
        let found = ready(Catalogue::new(sql).list(&filter, None, 20))?;
        expect(found.is_some_and(|found| found.len() == 1))
    }),
    ("a search that finds twenty, sorted", |sql, number| {
        let filter = Filter {
            search: Search::of(&format!("серия{}я", number % 50)),
            sort: Sort::Name,
            ..Filter::default()
        };
        let found = ready(Catalogue::new(sql).list(&filter, None, 20))?;
        expect(found.is_some_and(|found| found.len() == 20))
    }),
];

fn expect(is_right: bool) -> anyhow::Result<()> {
    if is_right { Ok(()) } else { Err(anyhow!("a wrong answer")) }
}

fn category(number: usize) -> String {
    format!("Категория {}", number % CATEGORIES)
}

fn customer(number: usize) -> Customer {
    Customer::Account(number as i64 + 1)
}

fn config() -> Config {
    Config {
        processing: Duration::from_secs(86_400),
        shipping: Duration::from_secs(5),
        delivery_seconds: 60..=300,
        delivered_shown: Duration::from_secs(300),
        paid_discount: 0,
    }
}

/// What makes names that are nobody else's: a number that is given once.
struct Chance;

static GIVEN: AtomicU64 = AtomicU64::new(0);

impl Entropy for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let number = GIVEN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            part.copy_from_slice(number.get(..part.len()).unwrap_or(&number));
        }
    }
}

/// Products by an import, with all of its jobs.
fn fill(sql: &Migrated<'_, Database>, size: usize) -> anyhow::Result<()> {
    ready(sql.apply())?;
    let row = |number: usize| Row {
        uuid: octo_shop::uuid(&Chance),
        product: NewProduct {
            name: format!("Товар {number}й"),
            category: category(number),
            // Each price twenty times at most, whatever the size.
            price: 100 + (number * 7_919 % 100_000) as i64,
            stock: 1_000_000_000,
            description: Some(format!("серия{}я отличного качества", number / 20)),
            manufacturer: Some("ООО «Ромашка»".to_owned()),
        },
        has_stock: true,
    };
    let rows: Vec<Row> = (0..size).map(row).collect();
    let now = SystemClock.now();
    ready(imports::begin(sql, &octo_shop::uuid(&Chance), &rows, &[], 1, None, now))?;
    let config = config();
    let shop = Shop { sql, clock: &SystemClock, entropy: &Chance, config: &config };
    let jobs = shop.imports();
    let drained = ready(jobs.performer(sql, &SystemClock, &Chance).drain(UnixMillis(i64::MAX)))?;
    // What filling left behind, Postgres would clean up by and by.
    let tidy = if sql.dialect() == Dialect::Postgres { "VACUUM ANALYZE" } else { "ANALYZE" };
    ready(sql.query(tidy, &[]))?;
    if drained.failed > 0 { Err(anyhow!("{} parts failed", drained.failed)) } else { Ok(()) }
}

fn fill_cart(sql: &Migrated<'_, Database>, number: usize) -> anyhow::Result<()> {
    for line in 0..LINES {
        let statement = "SELECT uuid FROM shop_products WHERE id = $1";
        let id = 1 + (number * 31 + line * 977) % SIZES[1];
        let (uuid,): (String,) =
            ready(sql.first(statement, &[(id as i64).into()]))?.ok_or_else(|| anyhow!("no product"))?;
        let line = octo_shop::uuid(&Chance);
        ready(Carts::new(sql).put(&customer(number), &line, &uuid, 1, Way::Added, SystemClock.now()))?;
    }
    Ok(())
}

fn order(sql: &Migrated<'_, Database>, number: usize) -> anyhow::Result<()> {
    let config = config();
    let checkout = Checkout { sql, clock: &SystemClock, entropy: &Chance, config: &config };
    let buyer = Buyer { customer: customer(number), name: "load".to_owned(), paid_access: false };
    ready(checkout.order_cart(&buyer, Agreement::AsSeen, None)).map(drop)
}

fn insert_and_update(sql: &Migrated<'_, Database>) -> anyhow::Result<usize> {
    let insert = "INSERT INTO floor (id, args) SELECT COALESCE(MAX(id), 0) + 1, $1 FROM floor RETURNING id";
    let (id,): (i64,) = ready(sql.first(insert, &["order".into()]))?.ok_or_else(|| anyhow!("no number"))?;
    let update = "UPDATE floor SET done_at = $1 WHERE id = $2";
    ready(sql.query(update, &[SystemClock.now().into(), id.into()]))?;
    Ok(1)
}

impl Display for ShopReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let of = |database: &str, value: &dyn Fn(&Round) -> f64| {
            median(self.rounds.iter().filter(|round| round.database == database).map(value).collect())
        };
        writeln!(out, "\nThe shop on one durable connection, with {} products:\n", SIZES[1])?;
        writeln!(
            out,
            "| database | insert + update /s | carts of {LINES} filled and cleared/s | carts filled and ordered/s | orders to floor | import |"
        )?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
        for (database, seconds) in &self.imports {
            writeln!(
                out,
                "| {database} | {:.0} | {:.0} | {:.0} | {:.2} | {seconds:.1} s |",
                of(database, &|round| round.floor),
                of(database, &|round| round.carts),
                of(database, &|round| round.orders),
                of(database, &|round| round.orders / round.floor),
            )?;
        }
        writeln!(out, "\nReading, in microseconds, with {} and with {} products:\n", SIZES[0], SIZES[1])?;
        writeln!(out, "| what | database | p50 | p99 | p50 | p99 | p50, large to small |")?;
        writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
        for (index, (what, _)) in KINDS.iter().enumerate() {
            for (database, _) in &self.imports {
                let read = |value: &dyn Fn(&Read) -> f64| {
                    of(database, &|round| round.reads.get(index).map_or(f64::NAN, value))
                };
                writeln!(
                    out,
                    "| {what} | {database} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} |",
                    read(&|read| read.small[0]),
                    read(&|read| read.small[1]),
                    read(&|read| read.large[0]),
                    read(&|read| read.large[1]),
                    read(&|read| read.large[0] / read.small[0]),
                )?;
            }
        }
        Ok(())
    }
}
