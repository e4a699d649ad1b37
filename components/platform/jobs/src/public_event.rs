//! Events for programs outside of Octo.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something that happened, as programs outside may hear of it. A trigger writes it in the statement that is its cause, for
/// each queue in `public_event_consumers`: none while nobody hears them. Its correlation id is what it is known by outside.
///
/// A type's members are a promise to those programs: more may come, none goes and none changes its meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicEvent {
    /// What happened, such as `points.changed`.
    pub r#type: String,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// To what.
    pub data: Map<String, Value>,
}

impl PublicEvent {
    /// The name of the job that carries it.
    pub const NAME: &'static str = "public-event/1";
}
