//! The questions that the router asks the stores before a message is sent to a provider, in one request, and the
//! outcome it reports afterwards, in another.
//!
//! A WASI 0.2 guest waits for a store for as long as its host does, which may be for ever: a server that is
//! frozen holds every request. What can be bounded is a call to another component. So where a store is
//! across a network (`redis_url` is set), the router asks no store itself: it asks the component `admission`,
//! for so long and no longer, and pays for the message otherwise. The component answers in two steps: at once that it
//! is at work, then what the stores say. So a machine that is too busy to ask them is told from stores that do not
//! answer.
//!
//! - [`waiting_client`]: the client that waits for the response.
//! - [`counter_gate`]: when a counter that gives no answer is left alone.
//! - [`backend`]: the questions, and the two ways to ask them.
//! - [`local`]: the answers, from the stores.
//! - [`in_time`]: the same within a time, where that can be had (WASI 0.3): then no other component is needed.
//! - [`remote`]: the answers, from the component that has the stores.
//! - [`service`]: that component.
//! - [`waiting`]: how many messages of one sender wait for a window.

pub mod backend;
pub mod counter_gate;
pub mod in_time;
pub mod local;
pub mod remote;
pub mod service;
pub mod waiting;
pub mod waiting_client;

pub use backend::{
    AdmissionBackend, AdmissionRequest, AdmissionResponse, Asked, Completion, Holds, Once, PaidAllowance,
    PaidAsk, PaidEntry, Refusal, ReplayPolicy,
};
pub use in_time::InTime;
pub use local::Local;
pub use remote::Remote;
pub use service::Service;
pub use waiting_client::WaitingClient;

#[cfg(test)]
mod tests;
