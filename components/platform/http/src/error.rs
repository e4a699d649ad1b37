//! The early end of a handler.

use axum::response::IntoResponse;
use octo_core::Problem;

use crate::{Response, respond};

/// Why a handler ends early: a problem (RFC 9457), or a response in the form that the client of an original system
/// expects. `?` makes one of everything that can be told as a problem.
#[derive(Debug)]
pub enum Error {
    /// It becomes `application/problem+json`; its cause goes to the log.
    Problem(Box<Problem>),
    /// It is sent as it is.
    Response(Box<Response>),
}

impl<E: Into<Problem>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Problem(Box::new(error.into()))
    }
}

impl From<Response> for Error {
    fn from(response: Response) -> Self {
        Self::response(response)
    }
}

impl Error {
    /// This response.
    pub fn response(response: Response) -> Self {
        Self::Response(Box::new(response))
    }
}

impl From<Error> for Response {
    fn from(error: Error) -> Self {
        match error {
            Error::Problem(problem) => respond::problem(&problem),
            Error::Response(response) => *response,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> axum::response::Response {
        Response::from(self).into_response()
    }
}
