//! Delivery: parcels that are registered at once and priced in the background, at the central bank's rate of the day.
//!
//! ```text
//! register ── one statement: parcel, history, job ──▶ PriceParcel ──▶ RateBook   one fetch at a time, kept for all
//!                                                          └────────▶ one statement: price, state, day's sum, history
//! ```
//!
//! # What is promised
//! - **A parcel that was accepted ends priced, failed or canceled**, once, whatever crashes: its job is written with it,
//!   its price is a row that a unique index lets there be once, and what follows from the price (state, the sum of the
//!   day, the line in the history) is written by triggers of that row ([`schema`]).
//! - **It has failed only when its job has**: the statement that gives the job up says so of the parcel.
//! - **The sum of a day is the sum of the day's prices**, at any time: the same statement changes both.
//! - **Nothing is priced with a bad rate**: what a source sends is used only when it is a rate of a day that is near, and
//!   a price is never less than the smallest coin ([`rate`], [`price`]).
//! - **A parcel has one carrier for ever**: the first that asked.
//!
//! This crate knows no route, no token and no SDK.

pub mod config;
pub mod day;
pub mod parcel;
pub mod parcels;
pub mod price;
pub mod pricing;
pub mod quota;
pub mod rate;
pub mod rate_book;
pub mod schema;
pub mod sums;
pub mod types;

pub use config::Config;
pub use day::MoscowDay;
pub use parcel::{Entry, NewParcel, Owner, Parcel, Receipt, State};
pub use parcels::{Filter, Parcels, Refusal, Registered};
pub use pricing::Pricing;
pub use rate::{Quoted, Rate};
pub use rate_book::{RateBook, RateSource, RateStatus};
pub use schema::TABLES;

#[cfg(test)]
mod tests;
