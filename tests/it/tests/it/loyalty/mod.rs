//! Loyalty: points over HTTP, given for registering by an event of sign-on's.

mod events;
mod ledger;
mod loyalty_service;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Call, Setup, TestApp, User};

const JOBS_KEY: &str = "the key of the scheduler";

fn setup() -> Setup {
    TestApp::with("jobs_key", JOBS_KEY)
}

/// Has a host do what waits, until nothing is due.
async fn drain(app: &TestApp, host: usize) {
    loop {
        let answer = app.call(host, Method::POST, "/internal/jobs/drain").bearer(JOBS_KEY).await;
        if answer.expect(200)["performed"] == 0 {
            return;
        }
    }
}

fn spend(points: i64) -> Value {
    json!({ "points": points, "comment": "coffee" })
}

/// What a user has.
async fn points(user: &User) -> Value {
    user.call(Method::GET, "/points").await.expect(200)
}

async fn uuid(user: &User) -> String {
    points(user).await["uuid"].as_str().unwrap().to_owned()
}

/// What must hold at any time.
async fn check(app: &TestApp) {
    let root = app.administrator().await;
    let check = root.call(Method::GET, "/points/check").await.expect(200);
    assert_eq!((&check["balanced"], &check["total"]), (&json!(true), &json!(0)), "{check}");
}
