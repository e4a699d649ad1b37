//! What is particular to WASI 0.3.
//!
//! An instance serves several requests at once. What is kept in it is what all of them may share: the connections to the
//! stores and the text of the settings. Everything else is a request's own.

mod body;
mod entry;
mod http_out;
mod redis;
mod settings;
mod store;

use std::time::Duration;

use spin_sdk_7::wasip3::wit_bindgen::yield_async;

/// Whether a question to Redis can be given up: other work goes on beside it, a timer for instance.
pub(crate) const CAN_GIVE_UP: bool = true;

pub(crate) use entry::serve_then;
pub use entry::{Exchange, Outcome, serve_streams};
pub use http_out::SpinHttp;
pub use redis::SpinRedis;
pub(crate) use settings::{settings_block, variable};
pub(crate) use spin_sdk_7::{experimental::wasi::keyvalue, wasip3::http::types::ErrorCode};
pub(crate) use store::{Store, store};

/// Waits that long; others go on meanwhile.
pub(crate) async fn sleep(duration: Duration) {
    spin_sdk_7::time::sleep(duration).await;
}

/// Lets the tasks begin that were spawned last: those that write the body of what is about to be sent. So the host has all of it
/// when it sends the head: Spin sets no TCP_NODELAY, and a second write would wait 40 ms.
///
/// Twice, because the first time the executor only takes them on, and comes back here before it polls them.
async fn let_spawned_tasks_begin() {
    yield_async().await;
    yield_async().await;
}
