//! Many at the same time.

use std::thread;

use octo_core::testing::ready;
use octo_databases::{Shared, on_both};

use super::scene::{START, Scene, key, product};
use crate::{
    Carts, Customer, Status,
    cart::Way,
    checkout::{Agreement, Refusal},
    stock::{self, Correction},
};

/// What so many instances get that do the same at once.
fn at_once<T: Send>(shared: &Shared, number: usize, act: impl Fn(&Scene, usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let each = |number| {
            let act = &act;
            scope.spawn(move || act(&Scene::joining(shared), number))
        };
        let running: Vec<_> = (0..number).map(each).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn of_fifty_who_want_the_last_one_gets_it_and_the_others_are_told() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 1));
        for account in 0..50 {
            scene.put(account, &milk, 1).unwrap();
        }
        let results = at_once(shared, 10, |scene, number| {
            let mine = (0..5).map(|index| scene.order((number * 5 + index) as i64, Agreement::AsSeen));
            mine.collect::<Vec<_>>()
        });
        let results: Vec<_> = results.into_iter().flatten().collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for result in results.iter().filter(|result| result.is_err()) {
            match result {
                Err(Refusal::Missing(quote)) => assert_eq!(quote.missing().next().unwrap().available, 0),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(scene.stock(&milk), 0);
        scene.expect_sound();
    });
}

#[test]
fn of_twenty_checkouts_of_one_cart_one_is_an_order() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let (milk, bread) = (scene.add(&product("Молоко", 100, 50)), scene.add(&product("Хлеб", 30, 50)));
        scene.put(1, &milk, 2).unwrap();
        scene.put(1, &bread, 1).unwrap();
        let results = at_once(shared, 20, |scene, _| scene.order(1, Agreement::AsSeen));
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(results.iter().filter(|result| matches!(result, Err(Refusal::Empty))).count(), 19);
        assert_eq!((scene.stock(&milk), scene.stock(&bread), scene.spent(1)), (48, 49, 230));
        // With one key all are told of the same order.
        scene.put(1, &milk, 1).unwrap();
        let orders =
            at_once(shared, 8, |scene, _| scene.order_by(1, Agreement::AsSeen, key("a", "f")).unwrap());
        assert!(orders.iter().all(|(order, _)| *order == orders[0].0));
        assert_eq!(orders.iter().filter(|(_, repeated)| !repeated).count(), 1);
        assert_eq!(scene.stock(&milk), 47);
        scene.expect_sound();
    });
}

#[test]
fn customers_of_the_same_products_do_not_hold_each_other_up() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let products: Vec<_> = (0..4).map(|_| scene.add(&product("Молоко", 100, 30))).collect();
        let sold: Vec<usize> = at_once(shared, 6, |scene, number| {
            let rounds = (0..10).filter(|round| {
                // Each in another order.
                for step in 0..4 {
                    drop(scene.put(number as i64, &products[(step * (number + 1) + round) % 4], 1));
                }
                let done = scene.order(number as i64, Agreement::AsSeen).is_ok();
                ready(Carts::new(&scene.sql()).clear(&Customer::Account(number as i64))).unwrap();
                done
            });
            rounds.count()
        });
        assert!(sold.iter().sum::<usize>() > 0);
        scene.expect_sound();
    });
}

#[test]
fn a_line_added_during_the_checkout_is_in_an_order_or_in_the_cart() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 1000));
        at_once(shared, 6, |scene, number| {
            for _ in 0..20 {
                if number % 2 == 0 {
                    scene.put(1, &milk, 1).unwrap();
                } else {
                    drop(scene.order(1, Agreement::AsSeen));
                }
            }
        });
        let ordered: Vec<(i64,)> =
            scene.rows("SELECT COALESCE(CAST(SUM(quantity) AS BIGINT), 0) FROM shop_order_lines");
        assert_eq!(ordered[0].0 + scene.cart(1).len() as i64, 60);
        assert_eq!(scene.stock(&milk), 1000 - ordered[0].0);
        scene.expect_sound();
    });
}

#[test]
fn lines_set_removed_taken_over_and_ordered_at_once_add_up() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 100_000));
        let (guest, account) = (Customer::Guest("g".into()), Customer::Account(1));
        at_once(shared, 6, |scene, number| {
            let sql = scene.sql();
            let carts = Carts::new(&sql);
            for quantity in 1..15 {
                match number {
                    0 | 1 => drop(scene.put_as(&account, &milk, quantity, Way::Replacing).unwrap()),
                    2 => drop(scene.put_as(&guest, &milk, 1, Way::Added).unwrap()),
                    3 => ready(carts.take_over(&guest, &account)).unwrap(),
                    4 => drop(scene.order(1, Agreement::Any)),
                    _ => ready(carts.clear(&account)).unwrap(),
                }
            }
        });
        let last = scene.put_as(&account, &milk, 7, Way::Replacing).unwrap();
        assert_eq!(scene.cart(1), [last]);
        scene.expect_sound();
    });
}

#[test]
fn canceled_by_two_at_once_the_stock_returns_once_and_one_is_told() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 10));
        for _ in 0..5 {
            scene.put(1, &milk, 3).unwrap();
            let order = scene.order(1, Agreement::AsSeen).unwrap();
            let results = at_once(shared, 4, |scene, number| {
                scene.orders(async |orders| orders.cancel(&order, number as i64, START).await).is_ok()
            });
            assert_eq!(results.iter().filter(|done| **done).count(), 1);
            assert_eq!((scene.stock(&milk), scene.spent(1)), (10, 0));
        }
        scene.expect_sound();
    });
}

#[test]
fn corrections_orders_and_cancellations_at_once_add_up() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 20));
        at_once(shared, 6, |scene, number| {
            for round in 0..10 {
                match number {
                    0 | 1 => {
                        let change = if round % 2 == 0 { -3 } else { 4 };
                        let correction = Correction { change, note: "counted", actor: 9 };
                        drop(ready(stock::correct(&scene.sql(), &milk, correction, None, START)));
                    }
                    _ => {
                        drop(scene.put(number as i64, &milk, 2));
                        if let Ok(order) = scene.order(number as i64, Agreement::AsSeen)
                            && round % 3 == 0
                        {
                            scene.orders(async |orders| {
                                orders.cancel(&order, 1, START).await.unwrap();
                                drop(orders.set_status(&order, Status::Processing, 9, None, START).await);
                            });
                        }
                    }
                }
            }
        });
        scene.expect_sound();
    });
}
