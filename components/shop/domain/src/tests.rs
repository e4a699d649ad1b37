//! Over both databases.

mod at_once;
mod catalogue;
mod checkout;
mod orders;
mod random;
mod rows;
mod scene;
