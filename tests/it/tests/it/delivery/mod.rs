//! Delivery: parcels over HTTP, priced in the background at the rate of a source that is not ours.

mod carriers;
mod parcel_service;
mod rates;
mod registrations;
mod source;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Call, Setup, TestApp, User};

const JOBS_KEY: &str = "the key of the scheduler";

/// A browser's session, which nobody has used before.
const SESSION: &str = "session=8d7c5d8e-5c3b-4d93-8a35-4b1a4a4f9a10";

fn setup() -> Setup {
    TestApp::with("jobs_key", JOBS_KEY)
}

fn phone() -> Value {
    json!({ "name": "Phone", "weight": 1.5, "price": 10.99, "type": 2 })
}

fn parcel() -> Value {
    json!({ "name": "Phone", "weight": "1.50", "value": "10.99", "type": 2 })
}

/// A request of the browser to one of the hosts.
fn browser(app: &TestApp, host: usize, method: Method, path: &str) -> Call {
    app.call(host, method, path).header("cookie", SESSION)
}

/// Has a host do what waits, until nothing is due.
async fn drain(app: &TestApp, host: usize) -> Answer {
    loop {
        let answer = app.call(host, Method::POST, "/internal/jobs/drain").bearer(JOBS_KEY).await;
        if answer.status != 200 || answer.json()["performed"] == 0 {
            return answer;
        }
    }
}

async fn state(user: &User, id: &Value) -> Value {
    user.call(Method::GET, &format!("/parcels/{id}")).await.expect(200)["state"].clone()
}

/// How many parcels there are in this state.
fn count(app: &TestApp, state: &str) -> String {
    app.ask_database(&format!("SELECT COUNT(*) FROM parcels WHERE state = '{state}'"))
}

/// What must hold at any time: each parcel that has a price has one line in the log, and the sums are those of the log.
fn check(app: &TestApp) {
    for (rule, statement) in [
        (
            "a parcel has the price of the log",
            "SELECT COUNT(*) FROM parcels p LEFT JOIN parcel_prices l ON l.parcel_id = p.id
             WHERE COALESCE(p.cost, 0) <> COALESCE(l.cost, 0)",
        ),
        (
            "the sums are those of the log",
            "SELECT COUNT(*) FROM (SELECT day, type_id, COUNT(*) AS n, SUM(cost) AS t FROM parcel_prices
             GROUP BY day, type_id) l LEFT JOIN parcel_sums s ON s.day = l.day AND s.type_id = l.type_id
             WHERE s.number IS NULL OR s.number <> l.n OR s.total <> l.t",
        ),
        (
            "nothing happened twice",
            "SELECT COUNT(*) FROM (SELECT parcel_id FROM parcel_events
             WHERE event IN ('registered', 'priced', 'carrier') GROUP BY parcel_id, event HAVING COUNT(*) > 1) x",
        ),
    ] {
        assert_eq!(app.ask_database(statement), "0", "{rule}");
    }
}
