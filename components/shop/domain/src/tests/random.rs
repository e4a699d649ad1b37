//! Random days of a shop: four instances that crash at any statement, over both databases.

use std::ops::Add;

use octo_core::{
    Sql, UnixMillis,
    sql::Migrated,
    testing::{FakeClock, ready},
};
use octo_databases::{Crashing, Shared, on_both};
use proptest::{prelude::*, test_runner::TestRunner};

use super::scene::{ENTROPY, START, Scene, buyer, config, product};
use crate::{
    Carts, Catalogue, Checkout, Customer, Key, Order, Orders, Product, Status, TABLES,
    cart::{Way, Which},
    checkout::{Agreement, Refusal},
    product::Change,
    stock::{self, Correction},
};

const ACCOUNTS: i64 = 3;
const PRODUCTS: usize = 4;

/// What customers, administrators and the world do.
#[derive(Clone, Debug)]
enum Act {
    Put { account: i64, product: usize, quantity: i64, replaces: bool },
    Remove { account: i64, product: usize },
    Order { account: i64, key: u8, most: Option<i64> },
    Cancel { order: prop::sample::Index },
    Set { order: prop::sample::Index, status: usize },
    Price { product: usize, price: i64 },
    Correct { product: usize, change: i64 },
    Withdraw { product: usize },
    Pass { seconds: u64 },
}

fn acts() -> impl Strategy<Value = Vec<(Act, Option<u32>, bool)>> {
    let (account, product) = (|| 1..=ACCOUNTS, || 0..PRODUCTS);
    let act = prop_oneof![
        6 => (account(), product(), 1..6_i64, any::<bool>())
            .prop_map(|(account, product, quantity, replaces)| Act::Put { account, product, quantity, replaces }),
        1 => (account(), product()).prop_map(|(account, product)| Act::Remove { account, product }),
        6 => (account(), 0..5_u8, prop::option::of(1..2_000_i64))
            .prop_map(|(account, key, most)| Act::Order { account, key, most }),
        2 => any::<prop::sample::Index>().prop_map(|order| Act::Cancel { order }),
        2 => (any::<prop::sample::Index>(), 0..5_usize).prop_map(|(order, status)| Act::Set { order, status }),
        2 => (product(), 1..400_i64).prop_map(|(product, price)| Act::Price { product, price }),
        2 => (product(), (-8..12_i64).prop_filter("a change", |change| *change != 0)).prop_map(|(product, change)| Act::Correct { product, change }),
        1 => product().prop_map(|product| Act::Withdraw { product }),
        2 => (1..200_u64).prop_map(|seconds| Act::Pass { seconds }),
    ];
    prop::collection::vec((act, prop::option::of(0..8_u32), any::<bool>()), 1..40)
}

/// Whether the act came to an end, whatever it was; an order with its total.
fn act_on(
    sql: &impl Sql,
    act: &Act,
    products: &[Product],
    orders: &[Order],
    now: UnixMillis,
) -> Option<Option<i64>> {
    let sql = &Migrated::new(sql, TABLES);
    let (clock, config) = (FakeClock::at(now), config());
    let carts = Carts::new(sql);
    match act {
        Act::Put { account, product, quantity, replaces } => {
            let way = if *replaces { Way::Replacing } else { Way::Added };
            let (customer, uuid) = (Customer::Account(*account), &products[*product].uuid);
            let line = crate::uuid(&*ENTROPY);
            let put = ready(carts.put(&customer, &line, uuid, *quantity, way, now));
            (!matches!(put, Err(crate::cart::Refusal::Sql(_)))).then_some(None)
        }
        Act::Remove { account, product } => {
            let which = Which::Product(&products[*product].uuid);
            ready(carts.remove(&Customer::Account(*account), which)).ok().map(|_| None)
        }
        Act::Order { account, key, most } => {
            let checkout = Checkout { sql, clock: &clock, entropy: &*ENTROPY, config: &config };
            let agreement = most.map_or(Agreement::AsSeen, Agreement::UpTo);
            let (name, fingerprint) = (format!("{account}/{key}"), format!("{most:?}"));
            let key = Key { key: &name, fingerprint: &fingerprint };
            match ready(checkout.order_cart(&buyer(*account), agreement, Some(key))) {
                Ok((order, _)) => {
                    if let Some(most) = most {
                        assert!(order.total <= *most);
                    }
                    Some(Some(order.id))
                }
                Err(Refusal::Sql(_)) => None,
                Err(_) => Some(None),
            }
        }
        Act::Cancel { order } if !orders.is_empty() => {
            match ready(Orders::new(sql).cancel(order.get(orders), 1, now)) {
                Err(crate::orders::Refusal::Sql(_)) => None,
                _ => Some(None),
            }
        }
        Act::Set { order, status } if !orders.is_empty() => {
            let status = Status::ALL[*status];
            let stays = status.stays(&config, &*ENTROPY);
            match ready(Orders::new(sql).set_status(order.get(orders), status, 9, stays, now)) {
                Err(crate::orders::Refusal::Sql(_)) => None,
                _ => Some(None),
            }
        }
        Act::Price { product, price } => {
            let change = Change { price: Some(*price), ..Change::default() };
            match ready(Catalogue::new(sql).change(&products[*product].uuid, &change, 9, now)) {
                Err(crate::catalogue::Refusal::Sql(_)) => None,
                _ => Some(None),
            }
        }
        Act::Correct { product, change } => {
            let correction = Correction { change: *change, note: "", actor: 9 };
            match ready(stock::correct(sql, &products[*product], correction, None, now)) {
                Err(stock::Refusal::Sql(_)) => None,
                _ => Some(None),
            }
        }
        Act::Withdraw { product } => {
            ready(Catalogue::new(sql).withdraw(&products[*product].uuid, 9, now)).ok().map(|_| None)
        }
        Act::Cancel { .. } | Act::Set { .. } | Act::Pass { .. } => Some(None),
    }
}

fn run(shared: &Shared, acts: &[(Act, Option<u32>, bool)]) {
    let scene = Scene::on(shared);
    for table in [
        "shop_orders",
        "shop_order_lines",
        "shop_order_events",
        "shop_figures",
        "shop_cart_lines",
        "shop_carts",
        "shop_customers",
        "shop_products",
        "shop_stock",
        "shop_stock_changes",
        "shop_categories",
        "jobs",
    ] {
        scene.rows::<(i64,)>(&format!("DELETE FROM {table}"));
    }
    let products: Vec<Product> =
        (0..PRODUCTS).map(|number| scene.add(&product(&format!("{number}"), 100, 10))).collect();
    let mut now = START;
    for (act, cut, carried_out) in acts {
        if let Act::Pass { seconds } = act {
            now = now.add(std::time::Duration::from_secs(*seconds));
            scene.drain(now);
        }
        let orders =
            scene.orders(async |orders| orders.list(&Default::default(), i64::MAX, 1000).await).unwrap();
        if let Some(cut) = cut {
            let dying = Crashing::after(shared.connect(), *cut, *carried_out);
            let _ = act_on(&dying, act, &products, &orders, now);
        }
        let first = act_on(&shared.connect(), act, &products, &orders, now).expect("nothing is cut off");
        if let Some(order) = first {
            let again = act_on(&scene.database, act, &products, &orders, now).expect("nothing is cut off");
            assert_eq!(again, Some(order), "one key, one order");
        }
        scene.expect_sound();
    }
    // Left alone, every order comes to its end, once for each status.
    let end = now.add(std::time::Duration::from_secs(10_000));
    scene.drain(end);
    let open: Vec<(i64,)> =
        scene.rows("SELECT COUNT(*) FROM shop_orders WHERE status NOT IN ('DELIVERED', 'CANCELLED')");
    assert_eq!(open, [(0,)]);
    scene.expect_sound();
}

#[test]
fn whatever_happens_in_a_shop_it_adds_up() {
    let cases = ProptestConfig { cases: 24, ..ProptestConfig::default() };
    on_both(|shared| {
        let mut runner = TestRunner::new(cases.clone());
        runner
            .run(&acts(), |acts| {
                run(shared, &acts);
                Ok(())
            })
            .unwrap();
    });
}
