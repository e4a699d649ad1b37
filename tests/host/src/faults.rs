//! Faults on purpose: what tests break, and how it looks to a component.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;

/// What is wrong with a kind of store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreFault {
    /// Nothing.
    #[default]
    None,
    /// Opening it and every operation fail at once, as with a server that is not there.
    Down,
    /// Opening it and every operation take this much longer. They happen all the same.
    Slow(Duration),
    /// No operation ever ends. None happens.
    Hang,
    /// Every operation ends without having happened, with an answer nobody stored: bytes that mean
    /// nothing, a counter at minus one, a row of nulls.
    WrongAnswer,
}

/// What is wrong with an HTTP service.
#[derive(Clone, Default)]
pub enum OutboundFault {
    /// Nothing.
    #[default]
    None,
    /// The connection is refused; the service is not called.
    Refuse,
    /// The service handles the call, then the connection closes without an answer.
    Cut,
    /// The service handles the call, then the connection closes in the middle of the answer's body.
    CutMidBody,
    /// The service is not called and no answer comes.
    Hang,
    /// The service handles the call; its answer takes this much longer.
    Slow(Duration),
    /// The answer is this status with an empty body; the service is not called.
    Status(u16),
    /// The answer is this one; the service is not called.
    Respond(http::Response<Bytes>),
}

/// The faults of one host. Everything works until a test says otherwise.
#[derive(Debug, Default)]
pub struct Faults {
    key_value: RwLock<StoreFault>,
    /// By component id; goes before the fault of all.
    key_value_of: RwLock<HashMap<String, StoreFault>>,
    sqlite: RwLock<StoreFault>,
    postgres: RwLock<StoreFault>,
    redis: RwLock<StoreFault>,
    outbound: RwLock<HashMap<String, Planned>>,
}

/// A fault and for how many more calls; none: for all.
#[derive(Clone, Debug)]
struct Planned {
    fault: OutboundFault,
    calls: Option<usize>,
}

/// What an operation on a store is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Proceed,
    AnswerWrongly,
}

/// A value that nobody stored.
pub(crate) const NOBODYS_BYTES: &[u8] = b"\xffnot what was stored";
/// What a store that is down says.
pub(crate) const DOWN: &str = "connection refused (a fault set on this host)";

impl Faults {
    /// Breaks or mends all key-value stores.
    pub fn key_value(&self, fault: StoreFault) {
        *self.key_value.write().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Breaks the key-value stores as one component sees them; `StoreFault::None` makes it share the fault
    /// of all again.
    pub fn key_value_of(&self, component: &str, fault: StoreFault) {
        let mut faults = self.key_value_of.write().unwrap_or_else(PoisonError::into_inner);
        match fault {
            StoreFault::None => faults.remove(component),
            fault => faults.insert(component.to_owned(), fault),
        };
    }

    /// Breaks or mends all SQLite databases.
    pub fn sqlite(&self, fault: StoreFault) {
        *self.sqlite.write().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Breaks or mends the Postgres servers that components connect to.
    pub fn postgres(&self, fault: StoreFault) {
        *self.postgres.write().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Breaks or mends the Redis servers that components connect to themselves.
    pub fn redis(&self, fault: StoreFault) {
        *self.redis.write().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Breaks or mends the service `name`: a component's id, or the host (or `host:port`) of a URL.
    pub fn outbound(&self, name: &str, fault: OutboundFault) {
        self.plan(name, fault, None);
    }

    /// Breaks the service `name` for the next `calls` calls; it works again afterwards.
    pub fn outbound_times(&self, name: &str, fault: OutboundFault, calls: usize) {
        self.plan(name, fault, Some(calls));
    }

    fn plan(&self, name: &str, fault: OutboundFault, calls: Option<usize>) {
        self.outbound
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), Planned { fault, calls });
    }

    pub(crate) async fn meet_key_value(&self, component: &str) -> Result<Verdict, &'static str> {
        let own = self.key_value_of.read().unwrap_or_else(PoisonError::into_inner).get(component).copied();
        meet(own.unwrap_or_else(|| set(&self.key_value))).await
    }

    pub(crate) async fn meet_sqlite(&self) -> Result<Verdict, &'static str> {
        meet(set(&self.sqlite)).await
    }

    pub(crate) async fn meet_postgres(&self) -> Result<Verdict, &'static str> {
        meet(set(&self.postgres)).await
    }

    pub(crate) async fn meet_redis(&self) -> Result<Verdict, &'static str> {
        meet(set(&self.redis)).await
    }

    /// The fault a call to one of `names` meets; uses up one of a limited number.
    pub(crate) fn meet_outbound(&self, names: &[&str]) -> OutboundFault {
        let unbroken = self.outbound.read().unwrap_or_else(PoisonError::into_inner).is_empty();
        if unbroken {
            return OutboundFault::None;
        }
        let mut outbound = self.outbound.write().unwrap_or_else(PoisonError::into_inner);
        let broken = names.iter().find(|name| {
            outbound.get(**name).is_some_and(|planned| !matches!(planned.fault, OutboundFault::None))
        });
        let Some(planned) = broken.and_then(|name| outbound.get_mut(*name)) else {
            return OutboundFault::None;
        };
        match &mut planned.calls {
            None => planned.fault.clone(),
            Some(0) => OutboundFault::None,
            Some(calls) => {
                *calls -= 1;
                planned.fault.clone()
            }
        }
    }
}

fn set(fault: &RwLock<StoreFault>) -> StoreFault {
    *fault.read().unwrap_or_else(PoisonError::into_inner)
}

async fn meet(fault: StoreFault) -> Result<Verdict, &'static str> {
    match fault {
        StoreFault::None => Ok(Verdict::Proceed),
        StoreFault::Down => Err(DOWN),
        StoreFault::Slow(delay) => {
            tokio::time::sleep(delay).await;
            Ok(Verdict::Proceed)
        }
        StoreFault::Hang => pending().await,
        StoreFault::WrongAnswer => Ok(Verdict::AnswerWrongly),
    }
}

impl fmt::Debug for OutboundFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Refuse => f.write_str("Refuse"),
            Self::Cut => f.write_str("Cut"),
            Self::CutMidBody => f.write_str("CutMidBody"),
            Self::Hang => f.write_str("Hang"),
            Self::Slow(delay) => write!(f, "Slow({delay:?})"),
            Self::Status(status) => write!(f, "Status({status})"),
            Self::Respond(response) => write!(f, "Respond({})", response.status()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_fault_mends_itself() {
        let faults = Faults::default();
        faults.outbound_times("a", OutboundFault::Refuse, 1);
        let names = ["a", "a.spin.internal"];
        assert!(matches!(faults.meet_outbound(&names), OutboundFault::Refuse));
        assert!(matches!(faults.meet_outbound(&names), OutboundFault::None));
    }

    #[tokio::test]
    async fn a_store_that_is_down_says_so() {
        let faults = Faults::default();
        assert_eq!(faults.meet_sqlite().await, Ok(Verdict::Proceed));
        faults.sqlite(StoreFault::Down);
        assert_eq!(faults.meet_sqlite().await, Err(DOWN));
        assert_eq!(faults.meet_key_value("a").await, Ok(Verdict::Proceed));
    }

    #[tokio::test]
    async fn a_store_can_be_down_for_one_component() {
        let faults = Faults::default();
        faults.key_value_of("a", StoreFault::Down);
        assert_eq!(faults.meet_key_value("a").await, Err(DOWN));
        assert_eq!(faults.meet_key_value("b").await, Ok(Verdict::Proceed));
        faults.key_value_of("a", StoreFault::None);
        assert_eq!(faults.meet_key_value("a").await, Ok(Verdict::Proceed));
    }
}
