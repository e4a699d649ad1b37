//! A source of rates outside the application.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::mock_providers::Server;

/// The central bank, or what says it is.
pub(super) struct Source {
    inside: Arc<Inside>,
    server: Server,
}

struct Inside {
    calls: AtomicUsize,
    sends: Mutex<Sends>,
}

/// What it sends.
#[derive(Clone)]
pub(super) enum Sends {
    /// This status and body.
    This(u16, String),
    /// The same, after this time.
    Late(Duration, String),
    /// Nothing: it closes the connection.
    Nothing,
}

/// The bank's JSON with this value for this day.
pub(super) fn daily(date: &str, value: &str) -> String {
    format!(
        r#"{{"Date":"{date}T11:30:00+03:00","PreviousDate":"x","PreviousURL":"x","Timestamp":"x","Valute":{{
            "EUR":{{"ID":"R01239","NumCode":"978","CharCode":"EUR","Nominal":1,"Name":"Евро","Value":90.1,"Previous":90}},
            "USD":{{"ID":"R01235","NumCode":"840","CharCode":"USD","Nominal":1,"Name":"Доллар США","Value":{value},"Previous":84}}}}}}"#
    )
}

impl Source {
    /// Sends a dollar at 84.004 roubles, for the day on which tests begin.
    pub(super) async fn start() -> Self {
        let sends = Mutex::new(Sends::This(200, daily("2027-01-15", "84.004")));
        let inside = Arc::new(Inside { calls: AtomicUsize::new(0), sends });
        let own = Arc::clone(&inside);
        let server = Server::of_requests(move |_| Arc::clone(&own).answer()).await;
        Self { inside, server }
    }

    /// `http://127.0.0.1:PORT`
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.server.address)
    }

    pub(super) fn will(&self, sends: Sends) {
        *self.inside.sends.lock().unwrap() = sends;
    }

    pub(super) fn calls(&self) -> usize {
        self.inside.calls.load(Ordering::SeqCst)
    }
}

impl Inside {
    async fn answer(self: Arc<Self>) -> Option<Response<Full<Bytes>>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let sends = self.sends.lock().unwrap().clone();
        let (status, body) = match sends {
            Sends::This(status, body) => (status, body),
            Sends::Late(time, body) => {
                tokio::time::sleep(time).await;
                (200, body)
            }
            Sends::Nothing => return None,
        };
        let response = Response::builder().status(status).header("location", "http://127.0.0.1:9/");
        Some(response.body(Full::from(body)).unwrap())
    }
}
