//! What is asked, and what is answered.

use http::StatusCode;
use octo_core::{Problem, StoreError, UnixMillis};
use octo_edge::{Caller, Response};
use octo_gateway::{
    admission::{Admission, Admitted},
    figures::Figures,
    free_tier::Status,
};
use serde::{Deserialize, Serialize};

/// The stores as the router asks them.
pub trait Desk: Admission {
    /// Who sends a message, and whether it may go free.
    async fn admit(&self, application: &Application) -> Result<Entry, Refusal>;

    /// The free tier now.
    async fn status(&self) -> Result<Status, StoreError>;

    /// What became of the messages.
    async fn figures(&self) -> Result<Figures, StoreError>;
}

/// A request to be let in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The sender's access token.
    pub token: Option<String>,
    /// The message, unless only the sender is to be known.
    pub message: Option<Asked>,
}

/// What is asked for a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The message's id.
    pub id: String,
    /// Until when the sender would rather wait for a free slot than go without one.
    pub wait_until: Option<UnixMillis>,
    /// Whether a call to the paid provider takes the key that the application made for it.
    pub needs_paid_key: bool,
}

/// The answer to an [`Application`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Who sends it.
    pub caller: Caller,
    /// Whether the message may go free; an error when the counter cannot tell.
    pub admitted: Option<Result<Admitted, StoreError>>,
}

/// No [`Entry`].
#[derive(Debug)]
pub enum Refusal {
    /// The request is refused, for a reason to be rendered.
    Problem(Problem),
    /// The request is refused, and here is the answer.
    Answer(Box<Response>),
    /// Nobody can tell: the stores did not answer in time.
    Away(StoreError),
}

impl Refusal {
    /// The status of the answer, if the stores gave one.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Refusal::Problem(problem) => Some(problem.status),
            Refusal::Answer(answer) => Some(answer.status()),
            Refusal::Away(_) => None,
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal::Problem(problem)
    }
}
