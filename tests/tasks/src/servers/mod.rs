//! Servers that tests have to themselves: on a private loopback port, with a folder that goes with them.

mod postgres;
mod prometheus;
mod redis;
mod server;
mod spin;

pub use postgres::Postgres;
pub use prometheus::Prometheus;
pub use redis::Redis;
pub use spin::{Spin, Start};
