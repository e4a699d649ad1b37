//! Running a component for one request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::ExpirationError;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};

use super::headers::Arrival;
use super::workers::Maker;
use super::{Body, plain};
use crate::app::{Component, Entry};
use crate::instance::{self, InstanceState};
use crate::services::Services;

/// Why a component gave no answer.
enum Failure {
    /// It trapped, or could not be started.
    Trap(wasmtime::Error),
    /// It took longer than it may.
    Late,
    /// It said that it cannot answer.
    Declined(ErrorCode),
    /// It ended without a word.
    Silent,
}

/// The guest at work on a request. Dropped before its end, it goes on in the background, as on Spin: it may
/// work on after its answer, and a caller that leaves, or a component that gives a chained call up, does not
/// undo what it asked for. Only the time for a request ends it then. (Spin itself sets none: there an instance
/// that waits for a store that hangs is there until the store goes on.)
struct Work {
    services: Arc<Services>,
    component: Arc<Component>,
    guest: Option<Guest>,
}

type Guest = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Has a component answer a chained call, or the owner of the host.
pub(crate) async fn answer_chained(
    services: &Arc<Services>,
    component: &Arc<Component>,
    mut request: Request<Body>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    Arrival {
        pattern: "/...",
        prefix: "",
        rest: &path,
        names: &[],
        client: HeaderValue::from_static("0.0.0.0:0"),
    }
    .write(&mut request);
    answer(services, component, request).await
}

/// Has a component answer a request. Whatever goes wrong becomes an answer that gives nothing away,
/// and a line in the log.
pub(crate) async fn answer(
    services: &Arc<Services>,
    component: &Arc<Component>,
    request: Request<Body>,
) -> Response<Body> {
    match attempt(services, component, request).await {
        Ok(response) => response,
        Err(failure) => {
            services.say(component, failure.to_string());
            match failure {
                Failure::Late => plain(StatusCode::GATEWAY_TIMEOUT, "the component took too long"),
                _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "the component failed"),
            }
        }
    }
}

async fn attempt(
    services: &Arc<Services>,
    component: &Arc<Component>,
    request: Request<Body>,
) -> Result<Response<Body>, Failure> {
    match &component.entry {
        Entry::Once(proxy) => once(services, component, proxy, request).await,
        Entry::Reused(service) => {
            let workers = services.workers(component, || Maker::workers(services, component, service));
            // As on Spin, whoever asks may leave without the instance hearing of it.
            let result = workers.handle((), request).await;
            if result.is_err() && services.tasks.are_dropped() {
                // The instance died with its host, which answers nobody any more.
                std::future::pending::<()>().await;
            }
            result.map_err(
                |error| {
                    if error.is::<ExpirationError>() { Failure::Late } else { Failure::Trap(error) }
                },
            )
        }
    }
}

/// Runs an instance for this one request.
async fn once(
    services: &Arc<Services>,
    component: &Arc<Component>,
    proxy: &ProxyPre<InstanceState>,
    request: Request<Body>,
) -> Result<Response<Body>, Failure> {
    let mut store = instance::store(services, component);
    let (answer, mut answered) = oneshot::channel();
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request).map_err(Failure::Trap)?;
    let outparam = http.new_response_outparam(answer).map_err(Failure::Trap)?;

    let running = proxy.clone();
    let time = services.limits.request_time;
    let run = async move {
        let proxy = running.instantiate_async(&mut store).await?;
        proxy.wasi_http_incoming_handler().call_handle(&mut store, request, outparam).await
    };
    let mut work = Work {
        services: Arc::clone(services),
        component: Arc::clone(component),
        guest: Some(Box::pin(async move {
            match tokio::time::timeout(time, run).await {
                Ok(ended) => ended.map_err(Failure::Trap),
                Err(_) => Err(Failure::Late),
            }
        })),
    };

    // The guest is polled here, not in a task of its own: most are done when they have answered.
    let response = tokio::select! {
        biased;
        ended = work.end() => {
            ended?;
            answered.try_recv().map_err(|_| Failure::Silent)?
        }
        response = &mut answered => match response {
            Ok(response) => response,
            Err(_) => return Err(work.end().await.err().unwrap_or(Failure::Silent)),
        }
    };
    response.map_err(Failure::Declined)
}

impl Work {
    /// Runs the guest to its end.
    async fn end(&mut self) -> Result<(), Failure> {
        let Some(guest) = &mut self.guest else {
            return Ok(());
        };
        let ended = guest.await;
        self.guest = None;
        ended
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let Some(guest) = self.guest.take() else {
            return;
        };
        let services = Arc::clone(&self.services);
        let component = Arc::clone(&self.component);
        self.services.tasks.spawn(async move {
            if let Err(failure) = guest.await {
                services.say(&component, format!("after its answer began: {failure}"));
            }
        });
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trap(error) => write!(f, "trapped: {}", error.root_cause()),
            Self::Late => f.write_str("took too long and was stopped"),
            Self::Declined(code) => write!(f, "answered with an error: {code:?}"),
            Self::Silent => f.write_str("ended without an answer"),
        }
    }
}
