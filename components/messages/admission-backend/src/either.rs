//! The stores right here, or in the component that has them.

use octo_core::async_trait;
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Redis, StoreError};
use octo_gateway::{
    admission::{Admission, Ending, PaidPass},
    figures::Figures,
    free_tier::{AnySlot, Ask, Closed, Status, Verdict},
};

use crate::{Application, Closing, Desk, Entry, Local, PaidAsk, PaidEntry, Refusal, Remote};

/// [`Desk`] in either way.
#[derive(Debug)]
pub enum Either<'a, K, R, H, C, E> {
    /// The stores are right here.
    Local(Local<'a, K, R, H, C, E>),
    /// Another component has them.
    Remote(Remote<'a, H, C>),
}

#[async_trait]
impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Desk for Either<'_, K, R, H, C, E> {
    async fn admit(&self, application: &Application) -> Result<Entry, Refusal> {
        match self {
            Self::Local(desk) => desk.admit(application).await,
            Self::Remote(desk) => desk.admit(application).await,
        }
    }

    async fn admit_patiently(&self, application: &Application) -> Result<Entry, Refusal> {
        match self {
            Self::Local(desk) => desk.admit_patiently(application).await,
            Self::Remote(desk) => desk.admit_patiently(application).await,
        }
    }

    async fn status(&self) -> Result<Status, StoreError> {
        match self {
            Self::Local(desk) => desk.status().await,
            Self::Remote(desk) => desk.status().await,
        }
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        match self {
            Self::Local(desk) => desk.figures().await,
            Self::Remote(desk) => desk.figures().await,
        }
    }

    async fn paid_entry(&self, ask: &PaidAsk) -> PaidEntry {
        match self {
            Self::Local(desk) => desk.paid_entry(ask).await,
            Self::Remote(desk) => desk.paid_entry(ask).await,
        }
    }

    async fn close(&self, closing: Closing) -> Result<(), StoreError> {
        match self {
            Self::Local(desk) => desk.close(closing).await,
            Self::Remote(desk) => desk.close(closing).await,
        }
    }
}

#[async_trait]
impl<K: KeyValue, R: Redis, H: HttpOut, C: Clock, E: Entropy> Admission for Either<'_, K, R, H, C, E> {
    async fn again(&self, ask: &Ask) -> Result<Verdict<AnySlot>, StoreError> {
        match self {
            Self::Local(desk) => desk.again(ask).await,
            Self::Remote(desk) => desk.again(ask).await,
        }
    }

    async fn paid_pass(&self, with_key: bool) -> PaidPass {
        match self {
            Self::Local(desk) => desk.paid_pass(with_key).await,
            Self::Remote(desk) => desk.paid_pass(with_key).await,
        }
    }

    async fn finish(&self, ending: &Ending) -> Result<Option<Closed>, StoreError> {
        match self {
            Self::Local(desk) => desk.finish(ending).await,
            Self::Remote(desk) => desk.finish(ending).await,
        }
    }
}
