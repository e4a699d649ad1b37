//! What every component and domain of Octo shares: time, ids, the problem value, and the ports through
//! which a domain reaches the outside.
//!
//! This crate knows no SDK, no HTTP server, no store and no clock. A domain receives `&impl KeyValue`,
//! `&impl Clock` and so on; `octo-spin` implements them on Spin, and the `testing` feature in memory.

pub mod day;
pub mod decimal;
pub mod id;
pub mod joined;
pub mod money;
pub mod ports;
pub mod problem;
pub mod script;
pub mod settings;
pub mod sql;
pub mod time;

#[cfg(feature = "testing")]
pub mod testing;

// How the ports are implemented.
pub use async_trait::async_trait;

pub use day::UtcDay;
pub use id::new_id;
pub use joined::Joined;
pub use money::{Currency, Hundredths, Money};
pub use ports::{Clock, Entropy, HttpOut, KeyValue, Redis, SendError, Settings, StoreError};
pub use problem::Problem;
pub use script::Script;
pub use settings::SettingError;
pub use sql::{Sql, SqlError, SqlValue};
pub use time::UnixMillis;
