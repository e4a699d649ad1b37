//! From a cart to an order.

use octo_core::testing::ready;
use octo_databases::on_both;

use super::scene::{START, Scene, after, config, key, product};
use crate::{
    Carts, Catalogue, Customer, Status,
    cart::{self, Way, Which},
    checkout::{Agreement, Refusal},
    product::Change,
};

#[test]
fn an_order_takes_the_stock_and_empties_the_cart() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let (milk, bread) = (scene.add(&product("Молоко", 15_050, 5)), scene.add(&product("Хлеб", 30, 9)));
        scene.put(1, &milk, 2).unwrap();
        scene.put(1, &bread, 3).unwrap();
        scene.put(1, &milk, 1).unwrap();
        scene.put(2, &bread, 1).unwrap();
        assert_eq!(scene.cart(1).len(), 3, "the original's clients see each line");
        let order = scene.order(1, Agreement::AsSeen).unwrap();
        assert_eq!((order.total, order.status, order.customer.as_str()), (45_240, Status::Created, "user 1"));
        let names: Vec<_> = order.lines.iter().map(|line| (line.name.as_str(), line.quantity)).collect();
        assert_eq!(names, [("Молоко", 2), ("Хлеб", 3), ("Молоко", 1)]);
        assert_eq!((scene.stock(&milk), scene.stock(&bread)), (2, 6));
        assert_eq!((scene.cart(1).len(), scene.cart(2).len()), (0, 1));
        assert_eq!(scene.spent(1), 45_240);
        assert!(matches!(scene.order(1, Agreement::AsSeen), Err(Refusal::Empty)));
        scene.expect_sound();
    });
}

#[test]
fn a_key_orders_once_and_belongs_to_one_request() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 5));
        scene.put(1, &milk, 1).unwrap();
        let (order, repeated) = scene.order_by(1, Agreement::AsSeen, key("a", "f")).unwrap();
        assert!(!repeated);
        scene.put(1, &milk, 1).unwrap();
        assert_eq!(scene.order_by(1, Agreement::AsSeen, key("a", "f")).unwrap(), (order, true));
        let reused = scene.order_by(1, Agreement::AsSeen, key("a", "g"));
        assert!(matches!(reused, Err(Refusal::KeyReused)));
        assert_eq!((scene.stock(&milk), scene.cart(1).len()), (4, 1));
        scene.expect_sound();
    });
}

#[test]
fn a_price_that_rose_is_told_and_a_fall_is_passed_on() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 50));
        let priced = |price: i64| {
            let change = Change { price: Some(price), ..Change::default() };
            ready(Catalogue::new(&scene.sql()).change(&milk.uuid, &change, 9, START)).unwrap();
        };
        scene.put(1, &milk, 3).unwrap();
        priced(150);
        match scene.order(1, Agreement::AsSeen) {
            Err(Refusal::Dearer(quote)) => {
                assert_eq!((quote.total(), quote.risen().count()), (450, 1));
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(scene.order(1, Agreement::UpTo(449)), Err(Refusal::Dearer(_))));
        assert_eq!(scene.order(1, Agreement::UpTo(450)).unwrap().total, 450);
        scene.put(1, &milk, 1).unwrap();
        priced(200);
        assert_eq!(scene.order(1, Agreement::Any).unwrap().total, 200, "as the original's clients pay");
        scene.put(1, &milk, 1).unwrap();
        priced(90);
        assert_eq!(scene.order(1, Agreement::AsSeen).unwrap().total, 90);
        scene.expect_sound();
    });
}

#[test]
fn what_is_missing_or_withdrawn_is_named_and_nothing_is_taken() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let (milk, bread) = (scene.add(&product("Молоко", 100, 5)), scene.add(&product("Хлеб", 100, 5)));
        scene.put(1, &milk, 4).unwrap();
        scene.put(1, &bread, 1).unwrap();
        scene.put(2, &milk, 3).unwrap();
        scene.order(2, Agreement::AsSeen).unwrap();
        let missing = |agreement| match scene.order(1, agreement) {
            Err(Refusal::Missing(quote)) => {
                quote.missing().map(|line| (line.what.name.clone(), line.available)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(missing(Agreement::AsSeen), [("Молоко".to_owned(), 2)]);
        ready(Catalogue::new(&scene.sql()).withdraw(&bread.uuid, 9, START)).unwrap();
        assert_eq!(missing(Agreement::Any), [("Молоко".to_owned(), 2), ("Хлеб".to_owned(), 0)]);
        assert_eq!((scene.stock(&milk), scene.stock(&bread), scene.cart(1).len()), (2, 5, 2));
        let cart = scene.cart(1);
        assert_eq!((cart[1].withdrawn, cart[1].total()), (true, 0));
        let carts = |act: &dyn Fn(&Carts<'_, _>)| act(&Carts::new(&scene.sql()));
        carts(&|carts| {
            let customer = Customer::Account(1);
            assert_eq!(ready(carts.remove(&customer, Which::Product(&bread.uuid))).unwrap(), 1);
            let line = ready(carts.line(&customer, Which::Product(&milk.uuid))).unwrap();
            assert!(matches!(ready(carts.change(&customer, &line, 3)), Err(cart::Refusal::NotEnough(2))));
            assert_eq!(ready(carts.change(&customer, &line, 2)).unwrap().quantity, 2);
        });
        assert_eq!(scene.order(1, Agreement::AsSeen).unwrap().total, 200);
        scene.expect_sound();
    });
}

#[test]
fn a_cart_takes_no_more_than_there_is_over_all_lines_and_has_an_end() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 300));
        scene.put(1, &milk, 200).unwrap();
        assert!(matches!(scene.put(1, &milk, 101), Err(cart::Refusal::NotEnough(300))));
        let customer = Customer::Account(1);
        let line = scene.put_as(&customer, &milk, 300, Way::Replacing).unwrap();
        assert_eq!(scene.cart(1), [line]);
        for _ in 0..200 {
            scene.put(2, &milk, 1).unwrap();
        }
        assert!(matches!(scene.put(2, &milk, 1), Err(cart::Refusal::Full)));
        scene.put_as(&Customer::Account(2), &milk, 1, Way::Replacing).unwrap_err();
        ready(Carts::new(&scene.sql()).clear(&Customer::Account(2))).unwrap();
        scene.put(2, &milk, 1).unwrap();
        scene.expect_sound();
    });
}

#[test]
fn a_guests_cart_is_taken_over_and_forgotten_when_nobody_comes() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 300));
        let (ada, bob) = (Customer::Guest("ada".into()), Customer::Guest("bob".into()));
        scene.put_as(&ada, &milk, 2, Way::Added).unwrap();
        scene.put_as(&bob, &milk, 2, Way::Added).unwrap();
        scene.put(1, &milk, 1).unwrap();
        let sql = scene.sql();
        let carts = Carts::new(&sql);
        ready(carts.take_over(&ada, &Customer::Account(1))).unwrap();
        assert_eq!((scene.cart(1).len(), ready(carts.lines(&ada)).unwrap().len()), (2, 0));
        assert!(!ready(carts.sweep(after(1))).unwrap());
        assert_eq!((scene.cart(1).len(), ready(carts.lines(&bob)).unwrap().len()), (2, 0));
        ready(carts.sweep(after(1))).unwrap();
        let left: Vec<(String,)> = scene.rows("SELECT owner FROM shop_carts");
        assert_eq!(left, [("account/1".to_owned(),)]);
        scene.expect_sound();
    });
}

#[test]
fn paid_access_gives_a_discount() {
    assert_eq!(
        [config().discount(999, true), config().discount(999, false), config().discount(i64::MAX, true)],
        [99, 0, i64::MAX / 10]
    );
}
