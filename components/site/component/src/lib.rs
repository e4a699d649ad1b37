//! Octo for people: pages to look at it and work with it, and what there is to read about its API.
//!
//! The pages have no store. What they show and do they ask of the other components, by the same API and with the visitor's own
//! token ([`octo`]): so no page can do what the API forbids. The description of the API and the meanings of its problems are made
//! when the project is built.

mod accounts;
mod assets;
mod choice;
mod console;
mod description;
mod language;
mod live;
mod octo;
mod page;
mod problems;
mod start;
mod subscriptions;
mod visitor;

#[cfg(test)]
mod tests;

/// Largest body read, in bytes: a form with the longest message, each byte of it as three characters, and some fields.
pub const MAX_BODY: usize = 3 * 64 * 1024 + 4096;

octo_http::routes! {
    name: "site",
    about: "What this is, and how it is described.";
    start { start }
    description { openapi }
    problems { list, page }
    assets { asset }
    accounts { login_form, log_in, register_form, register, log_out }
    choice { choose }
    console { console, send }
    live { live }
    subscriptions { list, subscription, buy, cancel, restart }
}

#[cfg(target_family = "wasm")]
octo_spin::component!(octo_spin::Component::new("site", &API, MAX_BODY).http());
