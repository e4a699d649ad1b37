//! What a component works with: its ports, and what it leaves for after the response.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use octo_core::{Clock, Entropy, HttpOut, KeyValue, Redis, Settings, Sql};

use crate::{Component, caller::KeySource};

/// The ports of one component, for one request. Cheap to clone.
///
/// A component that has no use for a port is given one that is always away ([`octo_core::ports`]), so that it imports
/// nothing for it.
#[derive(Clone)]
pub struct App {
    /// The component's name in `spin.toml`, under which its service key is kept.
    pub name: &'static str,
    /// Its variables.
    pub settings: Arc<dyn Settings>,
    /// The relational store.
    pub sql: Arc<dyn Sql>,
    /// The key-value store.
    pub store: Arc<dyn KeyValue>,
    /// Redis servers. None: the component asks none.
    pub redis: Option<RedisServers>,
    /// Outbound HTTP.
    pub http: Arc<dyn HttpOut>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where the keys of access tokens come from when the store has none.
    pub keys: Arc<dyn KeySource>,
    /// What is left to do once the client has its response.
    pub after: AfterResponse,
    /// Whether its requests are counted ([`request_metrics`](crate::request_metrics)).
    pub counts_requests: bool,
}

/// Redis servers, by their addresses.
#[derive(Clone, Copy, Debug)]
pub struct RedisServers {
    /// The server at an address, which may have a password in it.
    pub connect: fn(String) -> Arc<dyn Redis>,
    /// Whether a question can be given up that is not answered. Where it cannot, a server that hangs holds who asks.
    pub can_give_up: bool,
}

impl App {
    /// Another component of this application.
    pub fn component(
        &self,
        name: &'static str,
    ) -> Component<'_, Arc<dyn KeyValue>, Arc<dyn HttpOut>, Arc<dyn Entropy>> {
        Component { name, store: &self.store, http: &self.http, entropy: &self.entropy }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("name", &self.name).finish_non_exhaustive()
    }
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that nobody waits for. It begins when the response has been handed over, and may be cut off at any point: what
/// must not be lost is written down elsewhere first.
#[derive(Clone, Default)]
pub struct AfterResponse(Arc<Mutex<Vec<Work>>>);

impl AfterResponse {
    /// Leaves `work` for later.
    pub fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(work));
    }

    /// Does what was left, in the order in which it was.
    pub async fn finish(&self) {
        let work = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for each in work {
            each.await;
        }
    }
}

impl fmt::Debug for AfterResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AfterResponse")
    }
}
