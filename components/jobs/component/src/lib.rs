//! Background jobs: has the components carry them out, and shows what failed.
//!
//! The rules are `octo-jobs`; what a job does is up to the component that carries it out.

mod own;
mod responses;
mod workers;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: none is looked at.
pub const MAX_BODY: usize = 4 * 1024;

octo_http::routes! {
    name: "jobs",
    about: "Background jobs: what waits, and what failed.",
    settings: own::check_settings;
    own { drain, queues, dead_letters, replay, remove }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(octo_spin::Component::new("jobs", &API, MAX_BODY).database().key_value().http());
