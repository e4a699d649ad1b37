//! Subscriptions: our own routes, and those of the original service.

mod api;
mod subscription_service;
