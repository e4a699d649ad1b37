//! The ports of `octo-core` on `spin-sdk`: the only shared crate that names it.
//!
//! [`serve`] is a component's entry: it reads the request, lets the component answer, and sends the answer
//! in one piece. [`SpinKeyValue`], [`SpinRedis`], [`SpinSqlite`], [`SpinPostgres`], [`AnySql`], [`SpinHttp`], [`SpinClock`], [`SpinEntropy`],
//! [`SettingsBlock`] are the ports. A component imports only what it uses: the linker drops the rest.
//!
//! Nothing here is kept between requests, so that instances may be reused (WASI 0.3) or not (WASI 0.2).

#![cfg(target_family = "wasm")]

mod body;
mod clock;
mod component;
mod entry;
mod http_out;
mod key_value;
mod redis;
mod settings;
mod sql;

pub use clock::{SpinClock, SpinEntropy};
pub use component::Component;
pub use spin_executor::run;
pub use wasi;

pub use entry::{Listener, Logged, serve, serve_in_steps};
pub use http_out::SpinHttp;
pub use key_value::SpinKeyValue;
pub use redis::SpinRedis;
pub use settings::SettingsBlock;
pub use sql::{AnySql, SpinPostgres, SpinSqlite};
