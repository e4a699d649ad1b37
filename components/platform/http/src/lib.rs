//! Between HTTP and the domains: what every component does the same way with a request and an answer.
//!
//! - [`exchange`]: one request from arrival to log line.
//! - [`accept`]: which of two kinds of answer a client would rather have.
//! - [`body`]: JSON bodies, read with errors that name the field and the rule.
//! - [`drained`]: what was done of the jobs that wait.
//! - [`enclosed`]: an answer inside the body of another.
//! - [`form`]: the fields of a form.
//! - [`coding`]: which bodies a component takes in.
//! - [`fastapi`]: bodies and answers as most of the original systems have them.
//! - [`gzip`]: compressed bodies, for the clients of an original system.
//! - [`audit`]: noting what administrators do.
//! - [`exposition`]: figures for Prometheus.
//! - [`request_metrics`]: how many requests there were, and how long they took.
//! - [`respond`]: JSON answers and problems.
//! - [`caller`]: who sends the request, from their token.
//! - [`component`]: asking another component.
//! - [`cookie`]: reading and setting cookies.
//! - [`cors`]: letting other sites' pages read answers, where the operator says so.
//! - [`same_site`]: keeping other sites' pages from using a person's cookies.
//! - [`source`]: the client's network address.
//! - [`idempotency`]: a request that is repeated is carried out once.
//! - [`money`]: amounts of money in the descriptions.
//! - [`path`]: paths decoded once, and the ids in them.
//! - [`platform`]: what the platform itself says of a request.
//! - [`prefer`]: how long a client would rather wait.
//! - [`query`]: the parameters of a query.
//! - [`service_key`]: a key two components share.
//!
//! It must not know any domain, nor the SDK.

pub mod accept;
pub mod api;
pub mod app;
pub mod audit;
pub mod body;
pub mod caller;
pub mod coding;
pub mod component;
pub mod cookie;
pub mod cors;
pub mod drained;
pub mod enclosed;
pub mod error;
pub mod exchange;
pub mod exposition;
pub mod extract;
pub mod fastapi;
pub mod form;
pub mod gzip;
pub mod idempotency;
pub mod money;
#[cfg(not(target_family = "wasm"))]
pub mod openapi;
pub mod page;
pub mod path;
pub mod platform;
pub mod prefer;
pub mod query;
pub mod request_metrics;
pub mod respond;
pub mod same_site;
pub mod service_key;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use api::Api;
pub use app::App;
pub use caller::Caller;
pub use coding::Bodies;
pub use component::Component;
pub use error::Error;
pub use exchange::{Body, BodyError, Request, Response, answer};
pub use page::{Items, Page};
pub use service_key::ServiceKey;

// What the macro `routes!` expands to.
pub use pastey;
