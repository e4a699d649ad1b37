//! A paid provider.

use std::sync::{Arc, Mutex};

use octo_host::Clock;
use octo_sim::random::Random;

use super::latency::pass;
use super::server::{empty, processed};
use super::{Arrival, Called, Latency, Mood, Reply, Server};
use crate::harness::PAID_KEY;

/// A provider that takes every call with the right credential, and charges for it.
pub(crate) struct MockPaid {
    provider: Arc<Inside>,
    server: Server,
}

struct Inside {
    latency: Latency,
    books: Mutex<Books>,
}

struct Books {
    arrivals: Vec<Arrival>,
    random: Random,
    mood: Mood,
}

impl MockPaid {
    /// Starts one that takes its time.
    pub(crate) async fn start(latency: Latency) -> Self {
        let books = Books { arrivals: Vec::new(), random: Random::new(8), mood: Mood::default() };
        let provider = Arc::new(Inside { latency, books: Mutex::new(books) });
        let inside = Arc::clone(&provider);
        let server = Server::start(move |called| Arc::clone(&inside).answer(called)).await;
        Self { provider, server }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// What it does with calls from now on.
    pub(crate) fn will(&self, mood: Mood) {
        self.provider.books.lock().unwrap().mood = mood;
    }

    /// Every call so far, in the order they arrived; taken when the credential was right.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.provider.books.lock().unwrap().arrivals.clone()
    }
}

impl Inside {
    async fn answer(self: Arc<Self>, called: Called) -> Option<Reply> {
        let (way, mood) = {
            let mut books = self.books.lock().unwrap();
            (self.latency.way(&mut books.random), books.mood)
        };
        pass(way.there).await;
        let taken =
            called.headers.get("authorization").is_some_and(|key| *key == format!("Bearer {PAID_KEY}"));
        {
            let mut books = self.books.lock().unwrap();
            let at = Clock::system().now_ms() as i64;
            books.arrivals.push(Arrival { at, id: called.id.clone(), taken });
        }
        pass(way.back).await;
        let reply = if taken { processed(&called.message) } else { empty(401) };
        mood.turn(&called.message, reply).await
    }
}
