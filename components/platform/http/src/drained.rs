//! What a component that performed jobs answers to the component that had it do so.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Response, exchange::Routine, respond};

/// The body of the answers of `POST /internal/jobs/drain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drained {
    /// Jobs that are done.
    pub performed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Whether there may be more that is due.
    pub more: bool,
}

impl Drained {
    /// The answer; nothing to do is [`Routine`].
    pub fn into_response(self) -> Response {
        let mut response = respond::json(StatusCode::OK, &self);
        if self.performed + self.failed == 0 {
            response.extensions_mut().insert(Routine);
        }
        response
    }
}
