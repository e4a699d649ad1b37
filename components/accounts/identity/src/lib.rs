//! Accounts, passwords, sessions and the keys that sign access tokens.
//!
//! - [`email`], [`username`], [`identifier`], [`password`]: what a person types, checked once.
//! - [`text`]: one form of it, whatever system it was typed on.
//! - [`throttle`], [`hashing`]: attempts to log in and the work they make, bounded.
//! - [`accounts`]: who there is.
//! - [`sessions`]: one login and all its refreshes.
//! - [`refresh`]: refresh tokens, rotated at every use.
//! - [`shape`]: what clients of the original systems find in their tokens.
//! - [`audit`]: what administrators did.
//! - [`signing`]: the keys.
//! - [`sign_on`]: the commands.
//! - [`refusal`]: why a command is refused.
//! - [`schema`]: the tables.
//!
//! It reaches the database and the shared store only through the ports of `octo-core`, and must not know
//! HTTP.

pub mod accounts;
pub mod audit;
pub mod common_passwords;
pub mod config;
pub mod email;
pub mod hashing;
pub mod identifier;
pub mod password;
pub mod refresh;
pub mod refusal;
pub mod schema;
pub mod sessions;
pub mod shape;
pub mod sign_on;
pub mod signing;
pub mod text;
pub mod throttle;
pub mod username;

pub use config::Config;
pub use refusal::Refusal;
pub use sign_on::SignOn;
