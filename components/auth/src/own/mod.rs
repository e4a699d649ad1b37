//! Our own routes, each readable in one breath: who, what, do, answer.

mod accounts;
mod administration;
mod internal;
mod sessions;
mod tokens;
mod upkeep;
