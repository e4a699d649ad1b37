//! What messages make of the stores: how often they are asked, and for how long, as the host saw it.

use std::collections::BTreeMap;
use std::time::Duration;

use octo_host::Host;
use serde::Serialize;

/// Where the router has the counter settled once the client has its answer.
const FINISH: &str = "http://admission.spin.internal/finish";

/// What one request used, or all requests of a measurement.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Usage {
    /// Store calls by component and operation, such as `router key-value get`.
    pub(crate) store_calls: BTreeMap<String, f64>,
    /// How long they took, in microseconds.
    pub(crate) store_us: BTreeMap<String, f64>,
    /// How often the components went to the host for anything.
    pub(crate) host_calls: BTreeMap<String, f64>,
    /// How long the chained call took that settles after the answer, in microseconds.
    pub(crate) finish_us: f64,
}

impl Usage {
    /// Everything since the host's records were last cleared.
    pub(crate) fn of(host: &Host) -> Self {
        let calls = host.store_calls();
        let name = |component: &str, operation: &str| format!("{component} {operation}");
        let finish = host.outbound_calls().into_iter().filter(|call| call.url == FINISH);
        Self {
            store_calls: calls.iter().map(|(by, what, count)| (name(by, what), count as f64)).collect(),
            host_calls: host.host_calls().iter().map(|(by, count)| (by.to_string(), *count as f64)).collect(),
            store_us: calls.times().map(|(by, what, time)| (name(by, what), microseconds(time))).collect(),
            finish_us: finish.fold(0.0, |sum, call| sum + microseconds(call.finished - call.started)),
        }
    }

    /// The share of one of `requests`.
    pub(crate) fn per(mut self, requests: usize) -> Self {
        let requests = requests as f64;
        let Self { store_calls, store_us, host_calls, finish_us } = &mut self;
        for value in [store_calls, store_us, host_calls].into_iter().flat_map(BTreeMap::values_mut) {
            *value /= requests;
        }
        *finish_us /= requests;
        self
    }

    /// Calls to stores, openings included.
    pub(crate) fn calls(&self) -> f64 {
        sum(self.store_calls.values())
    }

    /// Calls of anything that the host has.
    pub(crate) fn all_calls(&self) -> f64 {
        sum(self.host_calls.values())
    }

    /// Round trips to the counter in Redis: connections and scripts.
    pub(crate) fn redis_calls(&self) -> f64 {
        sum(of_redis(&self.store_calls))
    }

    /// What reserving and settling takes of a message's time, in microseconds: reserving is the round trips to
    /// Redis in which it is admitted, settling the whole chained call after the answer. In the key-value form
    /// it is the router's store calls, of which one reads the session.
    pub(crate) fn counter_us(&self) -> f64 {
        let asked = sum(of_redis(&self.store_us));
        if asked > 0.0 {
            // Half of the scripts run within the chained call.
            return if self.finish_us > 0.0 { asked / 2.0 + self.finish_us } else { asked };
        }
        let (increment, get) = ("router key-value increment", "router key-value get");
        let of = |values: &BTreeMap<String, f64>, name: &str| values.get(name).copied().unwrap_or_default();
        let session = of(&self.store_us, get) / of(&self.store_calls, get).max(1.0);
        of(&self.store_us, increment) + of(&self.store_us, get) - session
    }
}

fn of_redis(all: &BTreeMap<String, f64>) -> impl Iterator<Item = &f64> {
    all.iter().filter(|(name, _)| name.contains(" redis ")).map(|(_, value)| value)
}

/// The sum; that of nothing is 0 (and not -0, as for `Iterator::sum`).
fn sum<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(calls: &[(&str, f64, f64)], finish_us: f64) -> Usage {
        let all = |value: fn(&(&str, f64, f64)) -> f64| {
            calls.iter().map(|call| (call.0.to_owned(), value(call))).collect()
        };
        Usage { store_calls: all(|call| call.1), store_us: all(|call| call.2), finish_us, ..Usage::default() }
    }

    #[test]
    fn the_counter_in_redis_takes_half_of_the_scripts_and_the_call_that_settles() {
        let calls = [
            ("admission redis open", 2.0, 100.0),
            ("admission redis execute", 2.0, 140.0),
            ("admission key-value get", 1.0, 9.0),
        ];
        let usage = usage(&calls, 300.0);
        assert_eq!((usage.calls(), usage.redis_calls(), usage.counter_us()), (5.0, 4.0, 420.0));
    }

    #[test]
    fn the_counter_in_the_key_value_store_takes_all_but_the_session() {
        let calls = [("router key-value get", 2.0, 20.0), ("router key-value increment", 1.0, 15.0)];
        assert_eq!(usage(&calls, 0.0).counter_us(), 25.0);
        assert_eq!(usage(&[], 0.0).counter_us(), 0.0);
    }

    #[test]
    fn what_all_requests_used_is_shared_out() {
        let one = usage(&[("router key-value get", 8.0, 40.0)], 4.0).per(4);
        assert_eq!((one.calls(), one.finish_us), (2.0, 1.0));
        assert_eq!(one.store_us["router key-value get"], 10.0);
    }
}
