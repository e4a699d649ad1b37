//! What the project needs done around its code: building the components, preparing the machine,
//! starting servers for tests, reading what a component imports.
//!
//! The binary `xtask` offers it as commands; the host's binary and the integration tests use the
//! library, so a component is built in one way only. It has few dependencies because a newcomer waits for
//! them first, and it knows nothing of the host, of the domains or of any message: only packages,
//! `spin.toml` and child processes.
//!
//! | module | subject |
//! | --- | --- |
//! | [`workspace`] | which packages there are, and which of them are built for wasm |
//! | [`manifest`] | the components of `spin.toml`, and what each is granted |
//! | [`toolchain`] | the cargo that called us, and the wasm target |
//! | [`lane`] | the components and the manifest for WASI 0.3 |
//! | [`build`] | the components, the guests and the host, once per process |
//! | [`imports`] | what a built component imports |
//! | [`machine`] | programs the tests need, and installing the missing ones |
//! | [`guarded`] | child processes that never outlive us |
//! | [`servers`] | a private Redis or Postgres for tests |
//! | [`process`] | running a child process so that a failure explains itself |
//! | [`progress`] | what the person in front of the terminal sees |

// A development tool measures real time; the ban is for the code that ships.
#![allow(clippy::disallowed_methods)]

pub mod build;
pub mod guarded;
pub mod imports;
pub mod lane;
pub mod layers;
pub mod machine;
pub mod manifest;
pub mod process;
pub mod progress;
pub mod python;
pub mod servers;
pub mod toolchain;
pub mod workspace;
