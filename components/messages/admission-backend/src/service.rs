//! The component that asks the stores for the router.

use http::{Method, StatusCode};
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Redis, Settings};
use octo_gateway::{TierConfig, admission::Admission};
use octo_http::{Request, Response, respond};
use serde::de::DeserializeOwned;

use crate::{AdmissionBackend, Local, Refusal, WaitingClient};

/// Largest question, in bytes: the end of a message that carries its answer, escaped.
pub const MAX_QUESTION: usize = 2 * 1024 * 1024;

/// The component on its ports.
#[derive(Debug)]
pub struct Service<S, K, H, C, E, R> {
    /// The operator's variables.
    pub settings: S,
    /// The store shared by all instances.
    pub store: K,
    /// The way to `auth`.
    pub http: H,
    /// This instance's clock.
    pub clock: C,
    /// Randomness.
    pub entropy: E,
    /// The Redis server at an address.
    pub redis: fn(String) -> R,
}

impl<S: Settings, K: KeyValue, H: HttpOut, C: Clock, E: Entropy, R: Redis> Service<S, K, H, C, E, R> {
    /// Answers one question; `is_heard` tells whether somebody still waits for the answer.
    pub async fn handle(
        &self,
        request: Request,
        is_heard: impl Fn() -> bool + Sync,
    ) -> Result<Response, Problem> {
        if request.method() != Method::POST {
            return Err(respond::method_not_allowed("POST"));
        }
        let config = TierConfig::read(&self.settings)?;
        let redis = config.redis.as_ref().map(|address| address.login(&self.settings)).transpose()?;
        let backend = Local {
            config: &config,
            store: &self.store,
            redis: redis.map(self.redis),
            http: &self.http,
            clock: &self.clock,
            entropy: &self.entropy,
            client: WaitingClient::new(&is_heard),
        };
        let path = request.uri().path().to_owned();
        Ok(match path.as_str() {
            "/admit" => match backend.admit(&question(request)?).await {
                Ok(entry) => respond::json(StatusCode::OK, &entry),
                Err(Refusal::Problem(problem)) => return Err(problem),
                Err(Refusal::Answer(answer)) => *answer,
                Err(Refusal::Away(error) | Refusal::Silent(error)) => return Err(error.into()),
            },
            "/again" => respond::json(StatusCode::OK, &backend.again(&question(request)?).await),
            "/paid-entry" => {
                let entry = backend.paid_entry(&question(request)?).await;
                respond::json(StatusCode::OK, &Ok::<_, ()>(entry))
            }
            "/finish" => respond::json(StatusCode::OK, &backend.finish(&question(request)?).await),
            "/close" => respond::json(StatusCode::OK, &backend.close(question(request)?).await),
            "/status" => respond::json(StatusCode::OK, &backend.status().await),
            "/figures" => respond::json(StatusCode::OK, &backend.figures().await),
            _ => return Err(respond::not_found()),
        })
    }
}

/// Only the router asks, so a wrong question is our own fault.
fn question<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    serde_json::from_slice(&request.into_body()?).map_err(|error| Problem::internal().because(error))
}
