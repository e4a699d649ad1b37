//! The early end of a request of an original system's client: with that system's own answer, or with a problem
//! where it had none.

use octo_core::Problem;
use octo_http::Response;
use octo_identity::Refusal;

/// Why a request ends early.
pub(crate) enum Stop {
    /// This is the answer.
    Answer(Box<Response>),
    /// The original had no answer for this.
    Problem(Box<Problem>),
}

impl From<Response> for Stop {
    fn from(response: Response) -> Self {
        Stop::Answer(Box::new(response))
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(Box::new(problem))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Problem::from(refusal).into()
    }
}

/// The answer, however it came about.
pub(crate) fn settled(result: Result<Response, Stop>) -> Result<Response, Problem> {
    match result {
        Ok(response) => Ok(response),
        Err(Stop::Answer(response)) => Ok(*response),
        Err(Stop::Problem(problem)) => Err(*problem),
    }
}
