//! What becomes of orders.

use octo_account_events::AccountDeleted;
use octo_core::testing::ready;
use octo_databases::on_both;

use super::scene::{START, Scene, after, product};
use crate::{
    Order, Product, Status,
    checkout::Agreement,
    customer,
    orders::{Filter, Refusal},
};

fn ordered(scene: &Scene, product: &Product, quantity: i64) -> Order {
    scene.put(1, product, quantity).unwrap();
    scene.order(1, Agreement::AsSeen).unwrap()
}

fn status(scene: &Scene, order: &Order) -> Status {
    scene.orders(async |orders| orders.by_id(order.id).await).unwrap().status
}

fn set(scene: &Scene, order: &Order, status: Status) -> Result<Order, Refusal> {
    scene.orders(async |orders| orders.set_status(order, status, 9, None, START).await)
}

#[test]
fn an_order_goes_its_way_by_itself() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let order = ordered(&scene, &scene.add(&product("Молоко", 100, 5)), 1);
        scene.drain(after(4));
        assert_eq!(status(&scene, &order), Status::Created);
        scene.drain(after(5));
        assert_eq!(status(&scene, &order), Status::Processing);
        scene.drain(after(10));
        assert_eq!(status(&scene, &order), Status::Shipping);
        scene.drain(after(69));
        assert_eq!(status(&scene, &order), Status::Shipping);
        scene.drain(after(310));
        let done = scene.orders(async |orders| orders.by_id(order.id).await).unwrap();
        assert_eq!((done.status, done.next_at, done.revision), (Status::Delivered, None, 3));
        let timeline = scene.orders(async |orders| orders.timeline(order.id, 0, 100).await).unwrap();
        let timeline: Vec<_> = timeline.iter().map(|event| (event.status, event.actor)).collect();
        assert_eq!(
            timeline,
            [(Status::Created, 1), (Status::Processing, 0), (Status::Shipping, 0), (Status::Delivered, 0)]
        );
        let rewards: Vec<(String,)> = scene.rows("SELECT args FROM jobs WHERE kind = 'reward-purchase/1'");
        assert_eq!(
            rewards,
            [(format!(r#"{{"account_id":1,"purchase":"order/{}","total":100}}"#, order.id),)]
        );
        scene.expect_sound();
    });
}

#[test]
fn a_step_that_nobody_took_for_long_does_not_delay_those_after_it() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let order = ordered(&scene, &scene.add(&product("Молоко", 100, 5)), 1);
        scene.drain(after(400));
        assert_eq!(status(&scene, &order), Status::Delivered);
    });
}

#[test]
fn what_an_administrator_decides_stays() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 9));
        let (early, skipping, canceled) =
            (ordered(&scene, &milk, 1), ordered(&scene, &milk, 1), ordered(&scene, &milk, 1));
        set(&scene, &early, Status::Delivered).unwrap();
        scene.orders(async |orders| {
            let stays = Some(std::time::Duration::from_secs(50));
            orders.set_status(&skipping, Status::Shipping, 9, stays, START).await.unwrap();
            orders.cancel(&canceled, 9, START).await.unwrap();
        });
        scene.drain(after(20));
        assert_eq!(
            [status(&scene, &early), status(&scene, &skipping)],
            [Status::Delivered, Status::Shipping]
        );
        scene.drain(after(1000));
        let statuses = [&early, &skipping, &canceled].map(|order| status(&scene, order));
        assert_eq!(statuses, [Status::Delivered, Status::Delivered, Status::Canceled]);
        scene.expect_sound();
    });
}

#[test]
fn a_canceled_order_gives_its_stock_back_once_and_takes_it_again_if_it_can() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 3));
        let order = ordered(&scene, &milk, 2);
        assert_eq!((scene.stock(&milk), scene.spent(1)), (1, 200));
        let cancel = || scene.orders(async |orders| orders.cancel(&order, 1, START).await);
        assert_eq!(cancel().unwrap().status, Status::Canceled);
        assert!(matches!(cancel(), Err(Refusal::NotCancelable(Status::Canceled))));
        assert_eq!((scene.stock(&milk), scene.spent(1)), (3, 0));
        set(&scene, &order, Status::Processing).unwrap();
        assert_eq!((scene.stock(&milk), scene.spent(1)), (1, 200));
        set(&scene, &order, Status::Canceled).unwrap();
        set(&scene, &order, Status::Canceled).unwrap();
        scene.put(2, &milk, 2).unwrap();
        scene.order(2, Agreement::AsSeen).unwrap();
        assert!(matches!(set(&scene, &order, Status::Created), Err(Refusal::Missing)));
        assert_eq!((status(&scene, &order), scene.stock(&milk)), (Status::Canceled, 1));
        scene.expect_sound();
    });
}

#[test]
fn of_a_deleted_account_the_shop_keeps_what_was_sold_and_not_to_whom() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 9));
        let order = ordered(&scene, &milk, 2);
        scene.put(1, &milk, 1).unwrap();
        let event = serde_json::to_string(&AccountDeleted { account_id: 1, deleted_at: START.0 }).unwrap();
        scene.rows::<(i64,)>(&format!(
            "INSERT INTO jobs (queue, kind, args, visible_at, created_at)
            VALUES ('shop/account-events', 'account-deleted/1', '{event}', 0, 0) RETURNING id"
        ));
        scene.drain(START);
        let left = scene.orders(async |orders| orders.by_id(order.id).await).unwrap();
        assert_eq!((left.owner.as_str(), left.account_id, left.customer.as_str()), ("deleted", None, ""));
        assert_eq!((left.total, scene.cart(1).len()), (200, 0));
        let name = ready(customer::name(&scene.sql(), &crate::Customer::Account(1))).unwrap();
        assert_eq!(name, None);
        scene.drain(after(1000));
        scene.expect_sound();
    });
}

#[test]
fn orders_are_listed_by_customer_and_status() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 9));
        let orders: Vec<_> = (0..4).map(|_| ordered(&scene, &milk, 1)).collect();
        set(&scene, &orders[1], Status::Delivered).unwrap();
        let listed = |filter: Filter| -> Vec<i64> {
            let found = scene.orders(async |orders| orders.list(&filter, i64::MAX, 3).await).unwrap();
            found.iter().map(|order| order.id).collect()
        };
        let all: Vec<i64> = orders.iter().rev().map(|order| order.id).collect();
        assert_eq!(listed(Filter::default()), all[..3]);
        let delivered = Filter { status: Some(Status::Delivered), ..Filter::default() };
        assert_eq!(listed(delivered), [orders[1].id]);
        let shown =
            Filter { owner: Some("account/1".into()), delivered_since: Some(after(1)), ..Filter::default() };
        assert_eq!(listed(shown), [orders[3].id, orders[2].id, orders[0].id]);
        assert_eq!(listed(Filter { owner: Some("account/2".into()), ..Filter::default() }), [0_i64; 0]);
    });
}
