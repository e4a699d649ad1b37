//! What is particular to WASI 0.2.

mod body;
mod clock;
mod entry;
mod http_out;
mod redis;
mod settings;
mod store;

/// Whether a question to Redis can be given up: a guest waits for as long as its host does.
pub(crate) const CAN_GIVE_UP: bool = false;

pub(crate) use clock::sleep;
pub(crate) use entry::serve_then;
pub use entry::{Exchange, Listener, Outcome, serve_in_steps};
pub use http_out::SpinHttp;
pub use redis::SpinRedis;
pub(crate) use settings::{settings_block, variable};
pub(crate) use spin_sdk::wit::wasi::keyvalue;
pub(crate) use store::{Store, store};
pub(crate) use wasi::http::types::ErrorCode;
