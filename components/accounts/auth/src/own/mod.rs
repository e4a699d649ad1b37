//! Our own routes, each readable in one breath: who, what, do, answer.

mod accounts;
mod administration;
mod internal;
mod sessions;
pub(crate) mod start;
mod tokens;
mod upkeep;
