//! The shop over HTTP: catalogue, cart and orders, by our own routes and by the original's.

mod at_once;
mod events;
mod own;
mod product_store;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Call, Setup, TestApp, User};

const JOBS_KEY: &str = "the key of the scheduler";

fn setup() -> Setup {
    TestApp::with("jobs_key", JOBS_KEY)
}

/// Has a host do what waits, until nothing is due.
async fn drain(app: &TestApp) {
    loop {
        let answer = app.post("/internal/jobs/drain").bearer(JOBS_KEY).await;
        if answer.expect(200)["performed"] == 0 {
            return;
        }
    }
}

/// Adds a product of the first category; its id.
async fn product(app: &TestApp, name: &str, price: &str, stock: i64) -> String {
    let body = json!({ "name": name, "category": "Молочные продукты", "price": price, "stock": stock });
    let root = app.administrator().await;
    let added = root.call(Method::POST, "/shop/products").json(&body).await.expect(201);
    added["id"].as_str().unwrap().to_owned()
}

async fn stock(app: &TestApp, product: &str) -> i64 {
    app.get(&format!("/shop/products/{product}")).await.expect(200)["stock"].as_i64().unwrap()
}

/// Puts a product into a user's cart.
async fn put(user: &User, product: &str, quantity: i64) -> Answer {
    let body = json!({ "product_id": product, "quantity": quantity });
    user.call(Method::POST, "/shop/cart/items").json(&body).await
}

async fn check_out(user: &User) -> Answer {
    user.call(Method::POST, "/shop/checkout").await
}

/// What must hold at any time.
async fn check(app: &TestApp) {
    let root = app.administrator().await;
    let check = root.call(Method::GET, "/shop/stock/check").await.expect(200);
    assert_eq!(check["balances"], true, "{check}");
}
