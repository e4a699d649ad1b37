//! Accounts: names and passwords, sessions and tokens, rights, and the clients of the original systems.

mod administration;
mod grpc;
mod keys;
mod lifecycle;
mod loyalty_sso;
mod message_handler_users;
mod races;
mod sessions;
mod shop_users;
mod sign_on;
mod throttling;
mod tokens;
