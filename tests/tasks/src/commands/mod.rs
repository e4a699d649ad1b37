//! One module per command of `cargo xtask`.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod common_passwords;
pub(crate) mod deny;
pub(crate) mod sim;
pub(crate) mod sizes;
mod spin;
pub(crate) mod test;
