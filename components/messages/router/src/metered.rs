//! The way to the stores for a message whose sender's paid messages may be counted.

use octo_core::async_trait;
use std::sync::{Mutex, PoisonError};

use octo_admission_backend::{AdmissionBackend, PaidAllowance, PaidAsk};
use octo_core::StoreError;
use octo_gateway::{
    admission::{Admission, PaidPass, RouteOutcome},
    free_tier::{AnySlot, Ask, Closed, Decision},
};

/// [`Admission`] for one message: routing asks for a pass to the paid provider, and here one of its sender's paid
/// messages of the day is taken with it.
pub(crate) struct Metered<'a, D> {
    backend: &'a D,
    account: &'a str,
    daily: Option<i64>,
    pass: Mutex<Option<PaidPass>>,
    allowance: Mutex<Option<PaidAllowance>>,
}

impl<'a, D: AdmissionBackend> Metered<'a, D> {
    /// `pass` and `allowance` are what the message has already.
    pub(crate) fn new(
        backend: &'a D,
        account: &'a str,
        daily: Option<i64>,
        pass: Option<PaidPass>,
        allowance: Option<PaidAllowance>,
    ) -> Self {
        Self { backend, account, daily, pass: pass.into(), allowance: allowance.into() }
    }

    /// What the message holds in the end.
    pub(crate) fn into_allowance(self) -> Option<PaidAllowance> {
        self.allowance.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<D: AdmissionBackend> Admission for Metered<'_, D> {
    async fn again(&self, ask: &Ask) -> Result<Decision<AnySlot>, StoreError> {
        self.backend.again(ask).await
    }

    async fn paid_pass(&self, with_key: bool) -> PaidPass {
        if let Some(pass) = self.pass.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return pass;
        }
        let ask = PaidAsk { with_key, account: self.account.to_owned(), daily: self.daily };
        let entry = self.backend.paid_entry(&ask).await;
        *self.allowance.lock().unwrap_or_else(PoisonError::into_inner) = entry.allowance;
        entry.pass
    }

    async fn finish(&self, ending: &RouteOutcome) -> Result<Option<Closed>, StoreError> {
        self.backend.finish(ending).await
    }
}
