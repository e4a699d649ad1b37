//! The answers, from stores that are asked right here, within a time.

use octo_core::async_trait;
use std::{pin::pin, time::Duration};

use futures::future::{Either, select};
use octo_core::{Clock, StoreError};
use octo_gateway::{
    admission::{Admission, PaidPass, RouteOutcome},
    free_tier::{AnySlot, Ask, Closed, Decision, Status},
    stats::Stats,
};

use crate::{
    backend::{
        AdmissionBackend, AdmissionRequest, AdmissionResponse, Completion, PaidAsk, PaidEntry, Refusal,
    },
    remote::PATIENTLY,
};

/// [`AdmissionBackend`] over another that may never answer, where other work goes on beside a question: a timer ends it.
///
/// As with [`Remote`](crate::Remote), a question that is not answered in time may still be heard later. All that it then
/// leaves behind is a slot nobody uses, which comes back by itself.
#[derive(Debug)]
pub struct InTime<'a, B, C> {
    /// Who is asked.
    pub backend: B,
    /// This instance's clock.
    pub clock: &'a C,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

impl<B, C: Clock> InTime<'_, B, C> {
    async fn within<T>(&self, time: Duration, question: impl Future<Output = T>) -> Result<T, StoreError> {
        match select(pin!(question), pin!(self.clock.sleep(time))).await {
            Either::Left((answer, _)) => Ok(answer),
            Either::Right(((), _)) => {
                Err(StoreError(format!("no store has answered within {} ms", time.as_millis())))
            }
        }
    }
}

#[async_trait]
impl<B: AdmissionBackend, C: Clock> AdmissionBackend for InTime<'_, B, C> {
    async fn admit(&self, application: &AdmissionRequest) -> Result<AdmissionResponse, Refusal> {
        self.within(self.timeout, self.backend.admit(application)).await.map_err(Refusal::Silent)?
    }

    async fn admit_patiently(&self, application: &AdmissionRequest) -> Result<AdmissionResponse, Refusal> {
        let question = self.backend.admit_patiently(application);
        self.within(self.timeout * PATIENTLY, question).await.map_err(Refusal::Silent)?
    }

    async fn status(&self) -> Result<Status, StoreError> {
        self.within(self.timeout, self.backend.status()).await?
    }

    async fn figures(&self) -> Result<Stats, StoreError> {
        self.within(self.timeout, self.backend.figures()).await?
    }

    async fn paid_entry(&self, ask: &PaidAsk) -> PaidEntry {
        // Without it the message is lost.
        let entry = self.within(self.timeout * PATIENTLY, self.backend.paid_entry(ask)).await;
        entry.unwrap_or_else(PaidEntry::unknown)
    }

    async fn close(&self, completion: Completion) -> Result<(), StoreError> {
        self.within(self.timeout, self.backend.close(completion)).await?
    }
}

#[async_trait]
impl<B: AdmissionBackend, C: Clock> Admission for InTime<'_, B, C> {
    async fn again(&self, ask: &Ask) -> Result<Decision<AnySlot>, StoreError> {
        self.within(self.timeout, self.backend.again(ask)).await?
    }

    async fn paid_pass(&self, with_key: bool) -> PaidPass {
        let pass = self.within(self.timeout * PATIENTLY, self.backend.paid_pass(with_key)).await;
        pass.unwrap_or_else(|error| PaidEntry::unknown(error).pass)
    }

    async fn finish(&self, ending: &RouteOutcome) -> Result<Option<Closed>, StoreError> {
        self.within(self.timeout, self.backend.finish(ending)).await?
    }
}
