//! The requests to the stores, and their responses.

use auto_impl::auto_impl;
use http::StatusCode;
use octo_core::async_trait;
use octo_core::{Problem, StoreError, UnixMillis};
use octo_daily_quota::Taken;
use octo_gateway::{
    admission::{Admission, Admitted, PaidPass, RouteOutcome},
    breaker::{Pass, Permit},
    free_tier::Status,
    stats::Stats,
};
use octo_http::{
    Caller, Response,
    idempotency::{Claim, Fingerprint, IdempotencyKey, StoredAnswer},
};
use serde::{Deserialize, Serialize};

/// The stores, as the router reaches them: in this component, or through the component `admission`.
#[async_trait]
#[auto_impl(&, Box)]
pub trait AdmissionBackend: Admission {
    /// Tells who sends a message, and whether it may go to the free provider.
    async fn admit(&self, application: &AdmissionRequest) -> Result<AdmissionResponse, Refusal>;

    /// The same for a message that is lost without the answer: stores that are asked from afar get more time for it.
    async fn admit_patiently(&self, application: &AdmissionRequest) -> Result<AdmissionResponse, Refusal> {
        self.admit(application).await
    }

    /// The state of the free tier now.
    async fn status(&self) -> Result<Status, StoreError>;

    /// How many messages went where.
    async fn figures(&self) -> Result<Stats, StoreError>;

    /// What a call to the paid provider takes, and one of the sender's paid messages of the day.
    async fn paid_entry(&self, ask: &PaidAsk) -> PaidEntry;

    /// Reports the end of a message: what it held is settled or given back.
    async fn close(&self, completion: Completion) -> Result<(), StoreError>;
}

/// The request to admit a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdmissionRequest {
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
    /// Messages of its sender that are paid for in a day, if they are counted.
    pub paid_daily: Option<i64>,
    /// Whether the counter is to be asked. When it was, and gave no answer, the other stores may still give theirs.
    pub counted: bool,
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

/// A request to be let in to the paid provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidAsk {
    /// Whether it takes the key that the application made for it.
    pub with_key: bool,
    /// Who sends the message.
    pub account: String,
    /// Messages of theirs that are paid for in a day, if they are counted.
    pub daily: Option<i64>,
}

/// The answer to a [`PaidAsk`].
#[derive(Debug, Serialize, Deserialize)]
pub struct PaidEntry {
    /// What the call takes.
    pub pass: PaidPass,
    /// What the sender has left of the day, if that is counted.
    pub allowance: Option<PaidAllowance>,
}

impl PaidEntry {
    /// Nobody could be asked: the message is paid for all the same, if it takes no key that has to be looked up.
    pub(crate) fn unknown(error: StoreError) -> Self {
        let pass = PaidPass { key: Some(Err(error)), permit: Permit::Go(Pass::default()) };
        Self { pass, allowance: None }
    }
}

/// What a sender has left of the paid messages of the day.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaidAllowance {
    /// One, which this message holds.
    Taken(Taken),
    /// None.
    UsedUp {
        /// Until then.
        refills_at: UnixMillis,
    },
}

/// The response to an [`AdmissionRequest`].
#[derive(Debug, Serialize, Deserialize)]
pub struct AdmissionResponse {
    /// Who sends it.
    pub caller: Caller,
    /// When the counter was asked, if it was: a slot that it gave is held from then on, or later.
    pub asked_at: UnixMillis,
    /// Whether the message may go free; an error when the counter cannot tell.
    pub admitted: Option<Result<Admitted, StoreError>>,
    /// What the paid provider takes, when the counter cannot tell and the sender may pay.
    pub paid: Option<PaidPass>,
    /// What is held for the message until it is closed.
    pub held: Holds,
}

/// What the stores hold for a message: to be given back, each by its rule, when its end is known.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Holds {
    /// The right to carry it out.
    pub claim: Option<Claim>,
    /// One of its sender's free messages of the day; given back unless it goes free.
    pub allowance: Option<Taken>,
    /// One of its sender's paid messages of the day; given back unless it is paid for.
    pub paid: Option<PaidAllowance>,
    /// Room for the answer that repeats get; given back when none is kept.
    pub kept: Option<Taken>,
}

/// The end of a message.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Completion {
    /// What routing tells.
    pub ending: RouteOutcome,
    /// What was held for it.
    pub held: Holds,
    /// Whether the paid provider processed it, or may have.
    pub paid_for: bool,
    /// What becomes of it when it is sent again.
    pub repeats: ReplayPolicy,
    /// Whether there is time to remove what is too old to matter.
    pub tidy: bool,
}

/// What becomes of a message that was to be carried out once when it is sent again.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum ReplayPolicy {
    /// It is carried out then, for no provider can have processed it.
    Anew,
    /// It gets the same answer.
    Answered(StoredAnswer),
    /// It is refused, for nobody knows how it ended.
    #[default]
    Unknown,
}

/// Why there is no [`AdmissionResponse`].
#[derive(Debug)]
pub enum Refusal {
    /// The request is refused, for a reason to be rendered.
    Problem(Problem),
    /// Here is the answer: a refusal, or what was answered when the message was sent before.
    Answer(Box<Response>),
    /// Nobody can tell: the stores are away, or could not even be asked in time.
    Away(StoreError),
    /// Nobody can tell: the stores were asked, and gave no answer in time.
    Silent(StoreError),
}

impl Refusal {
    /// The status of the answer, if the stores gave one.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Refusal::Problem(problem) => Some(problem.status),
            Refusal::Answer(answer) => Some(answer.status()),
            Refusal::Away(_) | Refusal::Silent(_) => None,
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal::Problem(problem)
    }
}
