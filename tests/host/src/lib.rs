//! A small Spin host, for development and tests.
//!
//! It runs the same `spin.toml` and the same wasm files as Spin: HTTP in, service chaining, outbound
//! HTTP, key-value, SQLite, Postgres, Redis and variables, with Spin's semantics (encodings and refusals
//! included). For tests it adds what no real host has: a clock under control, faults, and a record of
//! everything a component did outside itself. It is a development tool: production is Spin, SpinKube
//! or a cloud.
//!
//! It must not know Octo: no route, component or variable of the application is named here. (The
//! program `octo` in `src/bin` may.)
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let app = octo_host::App::load("spin.toml".as_ref())?;
//! let host = octo_host::Host::builder(&app)
//!     .variable("free_limit", "50")
//!     .clock(octo_host::Clock::manual(1_700_000_000_000))
//!     .start()
//!     .await?;
//! println!("{}", host.url("/messages"));
//! host.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Where things are:
//!
//! - `manifest`, `template`, `routes`, `allowed_hosts`, `variables`, `runtime_config`: the settings, pure;
//! - `engine`, `app`: compiled components;
//! - `host`, `services`, `tasks`: one running host;
//! - `instance`, `http`, `interfaces`: one request, and what its component can do;
//! - `private`: files for their owner only;
//! - `stores`: what the store interfaces stand on;
//! - `clock`, `faults`, `records`, `logs`: what tests turn and read.

mod allowed_hosts;
mod app;
mod bindings;
mod clock;
mod engine;
mod faults;
mod host;
mod http;
mod instance;
mod interfaces;
mod logs;
mod manifest;
pub mod private;
mod records;
mod routes;
mod runtime_config;
mod services;
mod stores;
mod tasks;
mod template;
mod variables;

pub use app::App;
pub use clock::Clock;
pub use faults::{Faults, OutboundFault, StoreFault};
pub use host::{Host, HostBuilder};
pub use logs::{LogLine, LogSource};
pub use manifest::{Component, Manifest, Trigger, TriggerRoute, Variable};
pub use records::{HostCalls, OutboundCall, Outcome, StoreCalls};
pub use routes::Route;
pub use services::Limits;

/// For every program with a host in it: each request makes and frees some hundred small things on whichever
/// thread is free, which is where the C library's allocator spends a fifth of the host's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
