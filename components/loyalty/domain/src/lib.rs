//! Loyalty: points that members earn and redeem, in a double-entry ledger.
//!
//! ```text
//!  account registered ──▶ OpenAccount ──▶ one statement: the member and the points for registering
//!  request ──────────────▶ Ledger ──────▶ one statement: transfer, balances, lots
//! ```
//!
//! Every change is a [`Transfer`] of points from one ledger account to another: `issued`, `member`, `held`, `redeemed`,
//! `expired`, `adjusted`. What a member was given is a lot, which may have an end; spending takes the lot that ends first.
//!
//! # What is promised
//! - **The ledger balances**: a transfer has a source and a target, so the sum over all accounts is zero.
//! - **No member is below zero**, and nobody spends a lot that has ended, also when no job has removed it yet.
//! - **Each transfer happens once**: it has an id of its own (the caller's key, or what it is about), under a unique
//!   index. So does each registration's bonus, each capture or release of a hold, and each reversal.
//! - **Balances are what the entries say**: the same statement writes both.
//!
//! Why each holds is said in [`schema`]. This crate knows no route, no token and no SDK.

pub mod check;
pub mod config;
pub mod events;
pub mod expiry;
pub mod history;
pub mod holds;
pub mod ledger;
pub mod members;
pub mod schema;
pub mod transfer;

pub use config::Config;
pub use events::Events;
pub use ledger::{Key, Ledger, Posted, Refusal};
pub use members::{Member, Standing};
pub use schema::TABLES;
pub use transfer::{Account, Kind, NewTransfer, Transfer};

#[cfg(test)]
mod tests;
