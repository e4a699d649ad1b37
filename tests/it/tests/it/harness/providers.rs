//! The two providers' own books, read as another component would read them.

use bytes::Bytes;
use http::{Request, StatusCode};
use octo_host::Host;
use serde_json::Value;

use super::PAID_KEY;

pub(crate) struct FreeProvider<'a>(pub(super) &'a Host);

pub(crate) struct PaidProvider<'a>(pub(super) &'a Host);

/// What the free provider took and refused.
#[derive(Debug)]
pub(crate) struct FreeBooks {
    /// The ids of the calls taken.
    pub(crate) taken: Vec<String>,
    pub(crate) taken_total: i64,
    pub(crate) refused_total: i64,
    /// Calls taken in each window, newest first.
    pub(crate) windows: Vec<i64>,
}

/// What the paid provider metered and refused.
#[derive(Debug)]
pub(crate) struct PaidBooks {
    /// The ids of the calls metered.
    pub(crate) metered: Vec<String>,
    pub(crate) metered_total: i64,
    pub(crate) refused_total: i64,
}

impl FreeProvider<'_> {
    pub(crate) async fn books(&self) -> FreeBooks {
        let books = books(self.0, "free-provider").await;
        let windows = books["windows"].as_array().unwrap();
        FreeBooks {
            taken: ids(&books["taken"]),
            taken_total: number(&books["taken_total"]),
            refused_total: number(&books["refused_total"]),
            windows: windows.iter().map(|window| number(&window["taken"])).collect(),
        }
    }
}

impl PaidProvider<'_> {
    pub(crate) async fn books(&self) -> PaidBooks {
        let books = books(self.0, "paid-provider").await;
        PaidBooks {
            metered: ids(&books["metered"]),
            metered_total: number(&books["metered_total"]),
            refused_total: number(&books["refused_total"]),
        }
    }
}

async fn books(host: &Host, provider: &str) -> Value {
    let request = Request::get("/calls?limit=10000").header("authorization", format!("Bearer {PAID_KEY}"));
    let answer = host.call(provider, request.body(Bytes::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{provider}");
    serde_json::from_slice(answer.body()).unwrap()
}

fn ids(entries: &Value) -> Vec<String> {
    entries.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap()
}
