//! What is particular to WASI 0.3.
//!
//! An instance serves several requests at once. What is kept in it is what all of them may share: the connections to the
//! stores and the text of the settings. Everything else is a request's own.

mod entry;
mod http_out;
mod redis;
mod settings;
mod store;

use std::time::Duration;

/// Whether a question to Redis can be given up: other work goes on beside it, a timer for instance.
pub(crate) const CAN_GIVE_UP: bool = true;

pub(crate) use entry::serve_then;
pub use entry::{Exchange, Outcome, serve};
pub use http_out::SpinHttp;
pub use redis::SpinRedis;
pub(crate) use settings::{settings_block, variable};
pub(crate) use store::{Store, store};

/// Waits that long; others go on meanwhile.
pub(crate) async fn sleep(duration: Duration) {
    spin_sdk_7::time::sleep(duration).await;
}
