//! The shop: a catalogue, carts, and orders that take the stock.
//!
//! ```text
//!  catalogue   Catalogue ──▶ products, categories, search          Imports ──▶ many products, as jobs
//!  cart        Carts ──────▶ lines of a customer or a guest
//!  checkout    Checkout ───▶ one statement: order, lines, stock, cart, figures, first step
//!  orders      Orders ─────▶ status, by customers, administrators and AdvanceOrder (jobs)
//! ```
//!
//! # What is promised
//! - **No stock is below zero**, and the ledger of a product's changes adds up to its stock.
//! - **An order is whole or is not there**: its lines, what it takes from the stock and from the cart, and what is counted.
//! - **Nothing is ordered twice**: of the requests with one key one is carried out, and a line of a cart is in one order.
//! - **Nobody pays more than they saw**, unless they say how much they would pay ([`checkout::Agreement`]).
//! - **A canceled order gives its stock back once**, and counts as not spent.
//! - **Automatic steps only go forward**, each from the status for which it was planned.
//!
//! Why each holds is said in [`schema`]. This crate knows no route, no token and no SDK.

pub mod automaton;
pub mod cart;
pub mod catalogue;
pub mod checkout;
pub mod config;
pub mod customer;
pub mod events;
pub mod figures;
pub mod imports;
pub mod orders;
pub mod product;
pub mod schema;
pub mod search;
pub mod stock;
pub mod views;

pub use cart::{Carts, Line};
pub use catalogue::Catalogue;
pub use checkout::Checkout;
pub use config::Config;
pub use customer::Customer;
pub use events::Shop;
pub use orders::{Order, Orders, Status};
pub use product::{NewProduct, Product};
pub use schema::TABLES;

/// A request that may have to be sent again.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Of the requests with one key, one is carried out. It names the caller and the route too.
    pub key: &'a str,
    /// What is asked for: another request with the same key is refused.
    pub fingerprint: &'a str,
}

/// A new UUID of version 4: nobody guesses it.
pub fn uuid(entropy: &impl octo_core::Entropy) -> String {
    uuid::Builder::from_random_bytes(entropy.bytes::<16>()).into_uuid().to_string()
}

#[cfg(test)]
mod tests;
