//! The ports of `octo-core` on `spin-sdk`: the only shared crate that names it.
//!
//! [`serve`] is a component's entry: it reads the request, lets the component answer, and sends the answer
//! in one piece. [`SpinKeyValue`], [`SpinRedis`], [`SpinSqlite`], [`SpinPostgres`], [`AnySql`], [`SpinHttp`], [`SpinClock`], [`SpinEntropy`],
//! [`SettingsBlock`] are the ports. A component imports only what it uses: the linker drops the rest.
//!
//! There are two lanes, from the same components:
//!
//! - **WASI 0.2** (`spin-sdk` 5), which every place has. An instance serves one request, and waits for a store for as long as
//!   the host does.
//! - **WASI 0.3** (`spin-sdk` 7, with `--cfg wasi_0_3`), for Spin 4.1. An instance serves many requests, some at once,
//!   so what is kept in it belongs to no request: settings, connections. Redis and reads of the key-value store can
//!   be given up. So far there is no SQL in this lane: it is for the router, and for gRPC ([`serve_streams`]).

#![cfg(target_family = "wasm")]

mod clock;
mod component;
mod exchange;
mod http_out;
mod key_value;
mod redis;
mod settings;
#[cfg(not(wasi_0_3))]
mod sql;
#[cfg(not(wasi_0_3))]
mod wasi_0_2;
#[cfg(wasi_0_3)]
mod wasi_0_3;

#[cfg(not(wasi_0_3))]
use {spin_sdk as sdk, wasi_0_2 as lane};
#[cfg(wasi_0_3)]
use {spin_sdk_7 as sdk, wasi_0_3 as lane};

pub use clock::{SpinClock, SpinEntropy};
pub use component::Component;
pub use exchange::{Logged, serve};
pub use key_value::SpinKeyValue;
pub use lane::{Exchange, Outcome, SpinHttp, SpinRedis};
pub use settings::SettingsBlock;

#[cfg(wasi_0_3)]
pub use {lane::serve_streams, spin_sdk_7::wasip3};
#[cfg(not(wasi_0_3))]
pub use {
    lane::{Listener, serve_in_steps},
    spin_executor::run,
    sql::{AnySql, SpinPostgres, SpinSqlite},
    wasi,
};
