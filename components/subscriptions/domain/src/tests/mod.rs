//! Subscriptions on real databases, with accounts and a clock that tests move, and instances that crash.

mod at_once;
mod commands;
mod ends;
mod instance;
mod plans;
mod random;
mod rows;
