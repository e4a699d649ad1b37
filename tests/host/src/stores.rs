//! What lies behind the store interfaces. Nothing here knows of components, labels or faults.

pub(crate) mod key_value;
mod key_value_redis;
mod key_value_sqlite;
mod owned_file;
pub(crate) mod postgres;
pub(crate) mod postgres_values;
pub(crate) mod redis;
pub(crate) mod sqlite;
