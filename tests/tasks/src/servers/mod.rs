//! Servers that tests have to themselves: on a private loopback port, with a folder that goes with them.

mod postgres;
mod redis;
mod server;

pub use postgres::Postgres;
pub use redis::Redis;
