//! Delivering events.

use std::time::Duration;

use http::{Request, StatusCode};
use octo_core::{Clock, HttpOut, UnixMillis, async_trait, ports::CallLimits};
use octo_jobs::{Delivery, Failure, Handlers, Job, PublicEvent, Run};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Config, Secret, switch::QUEUE};

/// A receiver that takes longer has the event sent again.
const LIMITS: CallLimits = CallLimits { timeout: Duration::from_secs(10), max_answer: 64 * 1024 };

/// What the jobs are carried out with.
#[derive(Debug)]
pub struct Webhooks<'a, H, C> {
    /// The way outside.
    pub http: &'a H,
    /// The time.
    pub clock: &'a C,
    /// The variables.
    pub config: &'a Config,
}

/// Sends an event.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliverEvent(pub PublicEvent);

impl Job for DeliverEvent {
    const QUEUE: &'static str = QUEUE;
    const NAME: &'static str = PublicEvent::NAME;
    type Reply = ();
}

impl<H: HttpOut, C: Clock> Webhooks<'_, H, C> {
    /// The jobs of this system.
    pub fn jobs(&self) -> Handlers<'_, Self> {
        Handlers::new(self).on::<DeliverEvent>()
    }

    async fn send(&self, secret: &Secret, id: &str, event: &PublicEvent) -> Result<(), Failure> {
        let timestamp = UnixMillis(event.at).to_string();
        let body = json!({ "type": event.r#type, "timestamp": timestamp, "data": event.data }).to_string();
        let now = self.clock.now();
        let request = Request::post(&self.config.url)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_secs())
            .header("webhook-signature", secret.sign(id, now, &body))
            .body(body.into_bytes())
            .map_err(Failure::r#final)?;
        let response = self.http.send(request, LIMITS).await.map_err(Failure::for_now)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            // Standard Webhooks: the receiver wants no more of them.
            StatusCode::GONE => Err(Failure::r#final("the receiver is gone (410)")),
            // Redirects are not followed: only the host that the operator named is called.
            status => Err(Failure::for_now(format!("the receiver's response was {status}"))),
        }
    }
}

#[async_trait]
impl<'a, H: HttpOut, C: Clock> Run<Webhooks<'a, H, C>> for DeliverEvent {
    async fn run(self, delivery: &Delivery, webhooks: &Webhooks<'a, H, C>) -> Result<(), Failure> {
        // What waits when the operator switches webhooks off is dropped.
        let Some(secret) = &webhooks.config.secret else { return Ok(()) };
        // The job's number changes when a dead letter is replayed; this does not.
        let id = delivery.correlation_id.as_deref().unwrap_or(&self.0.r#type);
        webhooks.send(secret, id, &self.0).await
    }
}
