//! What becomes of orders by themselves, and what other systems hear.

use std::time::Duration;

use super::*;
use crate::harness::{PASSWORD, spin::not_on_spin};

async fn ordered(app: &TestApp, user: &User, price: &str) -> String {
    let milk = product(app, "Молоко", price, 5).await;
    put(user, &milk, 1).await.expect(200);
    format!("/shop/orders/{}", check_out(user).await.expect(201)["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_its_way_whether_or_not_a_scheduler_comes() {
    not_on_spin("a clock that is moved");
    let app = setup().start().await;
    let mut ada = app.user("ada").await;
    let order = ordered(&app, &ada, "250").await;
    let mut seen = Vec::new();
    for seconds in [4, 1, 5, 301] {
        app.clock().advance(Duration::from_secs(seconds));
        seen.push(ada.call(Method::GET, &order).await.expect(200)["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, ["created", "processing", "shipping", "delivered"]);
    // A delivered order gives points, once.
    ada.refresh(&app).await;
    drain(&app).await;
    assert_eq!(ada.call(Method::GET, "/points").await.expect(200)["balance"], 102);
    drain(&app).await;
    assert_eq!(ada.call(Method::GET, "/points").await.expect(200)["balance"], 102);
    // The original's clients do not see it for long; it is kept.
    let original = order.replace("/shop/", "/order-api/");
    ada.call(Method::GET, &original).await.expect(200);
    app.clock().advance(Duration::from_secs(302));
    ada.call(Method::GET, &original).await.expect(404);
    ada.call(Method::GET, &order).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_administrator_decides_stays() {
    not_on_spin("a clock that is moved");
    let app = setup().start().await;
    let mut ada = app.user("ada").await;
    let order = ordered(&app, &ada, "10").await;
    let root = app.administrator().await;
    root.call(Method::PUT, &format!("{order}/status"))
        .json(&json!({ "status": "delivered" }))
        .await
        .expect(200);
    for _ in 0..3 {
        app.clock().advance(Duration::from_secs(200));
        drain(&app).await;
        assert_eq!(ada.call(Method::GET, &order).await.expect(200)["status"], "delivered");
    }
    ada.refresh(&app).await;
    let timeline = ada.call(Method::GET, &format!("{order}/timeline")).await.expect(200);
    assert_eq!(timeline["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_deleted_account_only_what_was_sold_is_kept() {
    let app = setup().start().await;
    let ada = app.user("ada").await;
    let order = ordered(&app, &ada, "10").await;
    ada.call(Method::DELETE, "/users/me").json(&json!({ "current_password": PASSWORD })).await;
    drain(&app).await;
    let kept = app.administrator().await.call(Method::GET, &order).await.expect(200);
    assert_eq!((&kept["customer"], &kept["account_id"]), (&json!(""), &json!(null)));
    assert_eq!(kept["total"]["amount"], "10.00");
}
