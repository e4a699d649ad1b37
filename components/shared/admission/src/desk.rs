//! What is asked, and what is answered.

use http::StatusCode;
use octo_allowance::Taken;
use octo_core::{Problem, StoreError, UnixMillis};
use octo_edge::{
    Caller, Response,
    idempotency::{Claim, Fingerprint, IdempotencyKey, StoredAnswer},
};
use octo_gateway::{
    admission::{Admission, Admitted, Ending},
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

    /// Tells the stores all that is left to tell of a message.
    async fn close(&self, closing: Closing) -> Result<(), StoreError>;
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
    /// Free messages that its sender has in a day, if they are counted.
    pub daily: Option<i64>,
    /// For a message that is to be carried out once, however often it is sent.
    pub once: Option<Once>,
}

/// What tells that a message was sent before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// The key its sender gave it.
    pub key: IdempotencyKey,
    /// The digest of what it says.
    pub fingerprint: Fingerprint,
}

/// The answer to an [`Application`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Who sends it.
    pub caller: Caller,
    /// Whether the message may go free; an error when the counter cannot tell.
    pub admitted: Option<Result<Admitted, StoreError>>,
    /// What is held for the message until it is closed.
    pub held: Held,
}

/// What the stores hold for a message: to be given back, each by its rule, when its end is known.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Held {
    /// The right to carry it out.
    pub claim: Option<Claim>,
    /// One of its sender's free messages of the day; given back unless it goes free.
    pub allowance: Option<Taken>,
}

/// The end of a message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Closing {
    /// What routing tells.
    pub ending: Ending,
    /// What was held for it.
    pub held: Held,
    /// What becomes of it when it is sent again.
    pub repeats: Repeats,
    /// Whether there is time to remove what is too old to matter.
    pub tidy: bool,
}

/// What becomes of a message that was to be carried out once when it is sent again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Repeats {
    /// It is carried out then, for no provider can have seen it.
    Anew,
    /// It gets the same answer.
    Answered(StoredAnswer),
    /// It is refused, for nobody knows how it ended.
    #[default]
    Unknown,
}

/// No [`Entry`].
#[derive(Debug)]
pub enum Refusal {
    /// The request is refused, for a reason to be rendered.
    Problem(Problem),
    /// Here is the answer: a refusal, or what was answered when the message was sent before.
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
