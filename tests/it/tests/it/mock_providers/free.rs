//! A free provider.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use octo_gateway::free_tier::{Limits, WindowModel};
use octo_host::Clock;
use octo_sim::provider::Provider;
use octo_sim::random::Random;

use super::fields::{Fields, Room};
use super::latency::pass;
use super::server::{empty, processed};
use super::{Arrival, Called, Latency, Limit, Mood, Reply, Server};

/// A provider that takes N calls per window, answers 429 to more, and blocks after each of those.
pub(crate) struct MockFree {
    provider: Arc<Inside>,
    server: Server,
}

/// What is special about a free provider that a test is about to start.
#[derive(Clone)]
pub(crate) struct Plan {
    limit: Limit,
    latency: Latency,
    fields: Fields,
    clock: Clock,
}

struct Inside {
    plan: Plan,
    books: Mutex<Books>,
}

struct Books {
    counting: Provider,
    arrivals: Vec<Arrival>,
    random: Random,
    mood: Mood,
}

impl MockFree {
    /// A provider that really allows this, whatever the application is told.
    pub(crate) fn allowing(model: WindowModel, calls: i64, period: Duration, block: Duration) -> Plan {
        let milliseconds = |time: Duration| time.as_millis() as i64;
        Plan {
            limit: Limit { model, calls, period: milliseconds(period), block: milliseconds(block) },
            latency: Latency::NONE,
            fields: Fields::None,
            clock: Clock::system(),
        }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// What it does with calls from now on.
    pub(crate) fn will(&self, mood: Mood) {
        self.provider.books.lock().unwrap().mood = mood;
    }

    /// Every call so far, in the order they arrived.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.provider.books.lock().unwrap().arrivals.clone()
    }

    /// Calls it answered with 429.
    pub(crate) fn refused(&self) -> usize {
        self.arrivals().iter().filter(|arrival| !arrival.taken).count()
    }

    /// The most calls that any one of its windows saw.
    pub(crate) fn fullest_window(&self) -> i64 {
        let times: Vec<i64> = self.arrivals().iter().map(|arrival| arrival.at).collect();
        self.limit().fullest_window(&times)
    }

    /// What it allows.
    pub(crate) fn limit(&self) -> Limit {
        self.provider.plan.limit
    }
}

impl Plan {
    /// Lets it take its time.
    pub(crate) fn taking(self, latency: Latency) -> Self {
        Self { latency, ..self }
    }

    /// Lets it tell of its limit.
    pub(crate) fn telling(self, fields: Fields) -> Self {
        Self { fields, ..self }
    }

    /// Sets its clock, which its windows and its `Date` go by.
    pub(crate) fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub(crate) async fn start(self) -> MockFree {
        let books = Books {
            counting: self.limit.provider(),
            arrivals: Vec::new(),
            random: Random::new(7),
            mood: Mood::default(),
        };
        let provider = Arc::new(Inside { plan: self, books: Mutex::new(books) });
        let inside = Arc::clone(&provider);
        let server = Server::start(move |called| Arc::clone(&inside).answer(called)).await;
        MockFree { provider, server }
    }
}

impl Limit {
    /// A provider with this limit, as the simulator has it, on its own clock.
    pub(crate) fn provider(&self) -> Provider {
        let time = |milliseconds: i64| Duration::from_millis(milliseconds as u64);
        let limits = Limits {
            calls: self.calls,
            window: time(self.period),
            block: time(self.block),
            timeout: Duration::ZERO,
            skew: Duration::ZERO,
        };
        Provider::new(self.model, &limits, 0)
    }
}

impl Inside {
    async fn answer(self: Arc<Self>, called: Called) -> Option<Reply> {
        let (way, mood) = {
            let mut books = self.books.lock().unwrap();
            (self.plan.latency.way(&mut books.random), books.mood)
        };
        pass(way.there).await;
        let reply = self.enter(&called);
        pass(way.back).await;
        mood.turn(&called.message, reply).await
    }

    /// Writes the call down and decides.
    fn enter(&self, called: &Called) -> Reply {
        let Plan { limit, fields, clock, .. } = &self.plan;
        let mut books = self.books.lock().unwrap();
        // Read under the lock, so that the times are in order.
        let now = clock.now_ms() as i64;
        let taken = books.counting.arrive(now);
        books.arrivals.push(Arrival { at: now, id: called.id.clone(), taken });
        let mut reply = if taken { processed(&called.message) } else { empty(429) };
        if !taken || *fields != Fields::None {
            let room = Room::at(now, &books.counting, limit);
            fields.add(&mut reply, room, limit);
            if !taken {
                reply.headers_mut().insert("retry-after", room.reset.into());
            }
        }
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_millis(now as u64));
        reply.headers_mut().insert("date", date.parse().unwrap());
        reply
    }
}
