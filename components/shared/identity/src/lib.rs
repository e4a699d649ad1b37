//! Accounts, passwords, sessions and the keys that sign access tokens.
//!
//! - [`email`], [`password`]: what a person types, checked once.
//! - [`accounts`]: who there is.
//! - [`refresh`]: refresh tokens, rotated at every use.
//! - [`signing`]: the keys.
//! - [`sign_on`]: the commands: register, log in, refresh, log out.
//! - [`schema`]: the tables.
//!
//! It reaches the database and the shared store only through the ports of `octo-core`, and must not know
//! HTTP.

pub mod accounts;
pub mod config;
pub mod email;
pub mod password;
pub mod refresh;
pub mod schema;
pub mod sign_on;
pub mod signing;

pub use config::Config;
pub use sign_on::{Refusal, SignOn};
