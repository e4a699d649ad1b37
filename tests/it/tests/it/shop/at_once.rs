//! Many at the same time, on several hosts.

use futures::future::join_all;

use super::*;
use crate::harness::{forger::Forger, spin::not_on_spin};

/// A crowd that needs no passwords: accounts with forged tokens, whose names the shop knows.
async fn crowd(app: &TestApp, forger: &Forger, size: i64) -> Vec<String> {
    // So that there are tables.
    app.get("/shop/cart").await.expect(200);
    let rows: Vec<_> =
        (0..size).map(|number| format!("('account/{}', 'user {number}')", 1000 + number)).collect();
    app.ask_database(&format!("INSERT INTO shop_customers (owner, name) VALUES {}", rows.join(", ")));
    let now = app.now_ms();
    (0..size).map(|number| forger.token(1000 + number, "user", false, now)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_hundred_who_want_a_hundred_units_exactly_a_hundred_get_one() {
    not_on_spin("tokens of its own");
    let forger = Forger::new();
    let app = setup().with("signing_key", forger.pem()).several(3).start().await;
    let milk = product(&app, "Молоко", "10", 100).await;
    let crowd = crowd(&app, &forger, 500).await;
    let body = json!({ "product_id": milk });
    for some in crowd.chunks(50) {
        let add = |(number, token): (usize, &String)| {
            app.call(number % 3, Method::POST, "/shop/cart/items").bearer(token).json(&body).into_future()
        };
        for answer in join_all(some.iter().enumerate().map(add)).await {
            answer.expect(200);
        }
    }
    let order = |(number, token): (usize, &String)| {
        app.call(number % 3, Method::POST, "/shop/checkout").bearer(token).into_future()
    };
    let answers = join_all(crowd.iter().enumerate().map(order)).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    for answer in &refused {
        answer.problem(409, "not-enough-stock");
    }
    assert_eq!((done.len(), refused.len(), stock(&app, &milk).await), (100, 400, 0));
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_checkouts_of_one_cart_one_is_an_order() {
    let app = setup().several(3).start().await;
    let milk = product(&app, "Молоко", "10", 100).await;
    let ada = app.user("ada").await;
    put(&ada, &milk, 2).await.expect(200);
    let check_out = |number: usize| ada.call_on(number % 3, Method::POST, "/shop/checkout").into_future();
    let answers = join_all((0..20).map(check_out)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "cart-empty");
    }
    let spent = ada.call(Method::GET, "/user-api/users/me/total-spent").await;
    assert_eq!((spent.text().as_str(), stock(&app, &milk).await), (r#"{"total_spent":20.0}"#, 98));
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn canceled_by_owner_and_administrator_at_once_the_stock_returns_once() {
    let app = setup().several(3).start().await;
    let milk = product(&app, "Молоко", "10", 5).await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    put(&ada, &milk, 2).await.expect(200);
    let order = check_out(&ada).await.expect(201);
    let path = format!("/order-api/orders/{}/cancel", order["id"].as_str().unwrap());
    let cancel = |number: usize| {
        let who = if number.is_multiple_of(2) { root } else { &ada };
        who.call_on(number % 3, Method::PUT, &path).into_future()
    };
    let answers = join_all((0..8).map(cancel)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.expect(400)["detail"], "Cannot cancel order with status CANCELLED");
    }
    assert_eq!(stock(&app, &milk).await, 5);
    check(&app).await;
}
