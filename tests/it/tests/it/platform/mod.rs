//! What holds for every system: HTTP, cookies, settings, the documents, and how Octo begins and survives.

mod bodies;
mod cookies;
mod documents;
mod first_use;
mod http_rules;
mod observability;
mod openapi;
mod outages;
mod service_key;
mod settings;
