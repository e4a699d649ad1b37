//! The answers, from the component that has the stores, within a time.

use octo_core::async_trait;
use std::time::Duration;

use http::{HeaderName, Request, StatusCode, header};
use octo_core::{
    Clock, HttpOut, SendError, StoreError,
    ports::{CallLimits, StepError},
};
use octo_gateway::{
    admission::{Admission, PaidPass, RouteOutcome},
    free_tier::{AnySlot, Ask, Closed, Decision, Status},
    stats::Stats,
};
use octo_http::{Response, enclosed, idempotency::REPLAYED};
use serde::{Serialize, de::DeserializeOwned};

use crate::backend::{
    AdmissionBackend, AdmissionRequest, AdmissionResponse, Completion, PaidAsk, PaidEntry, Refusal,
};

/// Largest answer, in bytes: one that repeats the answer to an earlier request may have 512 KiB, escaped.
const MAX_ANSWER: usize = 2 * 1024 * 1024;
/// How long the component may take to begin. A busy machine makes everybody wait, the stores or not: a message that
/// waits for its turn is not paid for because of that. With what the stores and two providers may take, a request
/// is still over in the 30 s that a platform gives it.
const BEGIN: Duration = Duration::from_secs(8);
/// How many times as long a message waits that is lost without an answer.
pub(crate) const PATIENTLY: u32 = 3;
/// How long one waits for another instance when the platform has none left: twice as long each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);
/// What a relayed answer does not keep of its header fields: they are about its own way here.
const OF_THE_WAY: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::DATE,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("x-request-id"),
];

/// [`AdmissionBackend`] over the component `admission`.
///
/// A question that is not answered in time may still be heard later. All that it then leaves behind is a
/// slot nobody uses, which comes back by itself.
#[derive(Debug)]
pub struct Remote<'a, H, C> {
    /// The way there.
    pub http: &'a H,
    /// This instance's clock.
    pub clock: &'a C,
    /// Longest wait for an answer, once it is at work.
    pub timeout: Duration,
}

/// Why there is no answer.
struct Unheard {
    /// It was at work, and did not come to an end in time.
    silent: bool,
    error: StoreError,
}

impl Unheard {
    fn unfit(error: &dyn std::fmt::Display) -> Self {
        Self { silent: false, error: StoreError(format!("no question: {error}")) }
    }
}

impl From<StepError> for Unheard {
    fn from(error: StepError) -> Self {
        let silent = error == StepError::Failed(SendError::TimedOut);
        Self { silent, error: StoreError(format!("asked through `admission`: {error}")) }
    }
}

impl<H: HttpOut, C: Clock> Remote<'_, H, C> {
    async fn ask(&self, path: &str, question: &impl Serialize) -> Result<Response, Unheard> {
        let body = serde_json::to_vec(question).map_err(|error| Unheard::unfit(&error))?;
        let limits = CallLimits { timeout: self.timeout, max_answer: MAX_ANSWER };
        let began = self.clock.now();
        let mut pause = SHORTEST_PAUSE;
        loop {
            let request = Request::post(format!("http://admission.spin.internal{path}"))
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.clone())
                .map_err(|error| Unheard::unfit(&error))?;
            let left = BEGIN.saturating_sub(self.clock.now().since(began));
            let response = self.http.send_in_steps(request, left, limits).await?;
            if response.status() == StatusCode::OK {
                let nonsense = || StoreError("`admission` answers nonsense".into());
                let answer = enclosed::unpack(response.body());
                return answer.ok_or_else(|| Unheard { silent: false, error: nonsense() });
            }
            // The platform's own answer: it has no instance left, and nothing was asked.
            if left <= pause {
                let error = format!("`admission` cannot begin: {}", response.status());
                return Err(Unheard { silent: false, error: StoreError(error) });
            }
            self.clock.sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<T, StoreError> {
        let response = self.ask(path, question).await.map_err(|unheard| unheard.error)?;
        if response.status() != StatusCode::OK {
            return Err(StoreError(format!("`admission` answers {path} with {}", response.status())));
        }
        read::<Result<T, StoreError>>(&response)?
    }
}

fn relayed(mut response: Response) -> Response {
    for name in OF_THE_WAY {
        response.headers_mut().remove(name);
    }
    response
}

fn read<T: DeserializeOwned>(response: &Response) -> Result<T, StoreError> {
    let nonsense = |error| StoreError(format!("`admission` answers nonsense: {error}"));
    serde_json::from_slice(response.body()).map_err(nonsense)
}

#[async_trait]
impl<H: HttpOut, C: Clock> AdmissionBackend for Remote<'_, H, C> {
    async fn admit_patiently(&self, application: &AdmissionRequest) -> Result<AdmissionResponse, Refusal> {
        let Self { http, clock, timeout } = *self;
        Remote { http, clock, timeout: timeout * PATIENTLY }.admit(application).await
    }

    async fn admit(&self, application: &AdmissionRequest) -> Result<AdmissionResponse, Refusal> {
        let response = self.ask("/admit", application).await.map_err(|unheard| {
            if unheard.silent { Refusal::Silent(unheard.error) } else { Refusal::Away(unheard.error) }
        })?;
        let problem = response.headers().get(header::CONTENT_TYPE);
        let problem = problem.is_some_and(|kind| kind == "application/problem+json");
        match response.status() {
            // What was answered when the message was sent before, or a refusal.
            _ if problem || response.headers().contains_key(REPLAYED) => {
                Err(Refusal::Answer(Box::new(relayed(response))))
            }
            StatusCode::OK => read(&response).map_err(Refusal::Away),
            status => Err(Refusal::Away(StoreError(format!("`admission` answers with {status}")))),
        }
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.answer("/status", &()).await
    }

    async fn figures(&self) -> Result<Stats, StoreError> {
        self.answer("/figures", &()).await
    }

    async fn paid_entry(&self, ask: &PaidAsk) -> PaidEntry {
        // Without it the message is lost.
        let Self { http, clock, timeout } = *self;
        let patient = Remote { http, clock, timeout: timeout * PATIENTLY };
        let entry = patient.answer("/paid-entry", ask).await;
        entry.unwrap_or_else(PaidEntry::unknown)
    }

    async fn close(&self, completion: Completion) -> Result<(), StoreError> {
        self.answer("/close", &completion).await
    }
}

#[async_trait]
impl<H: HttpOut, C: Clock> Admission for Remote<'_, H, C> {
    async fn again(&self, ask: &Ask) -> Result<Decision<AnySlot>, StoreError> {
        self.answer("/again", ask).await
    }

    async fn paid_pass(&self, with_key: bool) -> PaidPass {
        self.paid_entry(&PaidAsk { with_key, account: String::new(), daily: None }).await.pass
    }

    async fn finish(&self, ending: &RouteOutcome) -> Result<Option<Closed>, StoreError> {
        self.answer("/finish", ending).await
    }
}
