//! What Octo is: the first page, the description of the API, and what each kind of problem means.
//!
//! It has no store and calls nobody: what it serves is made when the project is built.

mod description;
mod problems;
mod start;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: none is looked at.
pub const MAX_BODY: usize = 1024;

octo_http::routes! {
    name: "site",
    about: "What this is, and how it is described.";
    start { start }
    description { openapi }
    problems { list, page }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(octo_spin::Component::new("site", &API, MAX_BODY));
