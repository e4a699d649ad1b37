//! HTTP out of a component: checked, recorded, broken on purpose, and sent.
//!
//! `http://NAME.spin.internal` runs the component NAME in this process (a chained call); a component's
//! own time limits do not apply to it, as on Spin. Everything else goes over the network.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, RequestOptions, WasiHttpHooks};

use super::guest::answer_chained;
use super::network::{self, Sent};
use super::{Body, full};
use crate::allowed_hosts::CHAINING_SUFFIX;
use crate::app::Component;
use crate::faults::OutboundFault;
use crate::records::Outcome;
use crate::services::Services;

/// The outbound side of one instance.
#[derive(Clone)]
pub(crate) struct Outbound {
    services: Arc<Services>,
    component: Arc<Component>,
}

/// Where a call goes.
enum Destination {
    Component(Arc<Component>),
    Network,
}

impl Outbound {
    pub(crate) fn new(services: &Arc<Services>, component: &Arc<Component>) -> Self {
        Self { services: Arc::clone(services), component: Arc::clone(component) }
    }

    async fn call(self, mut request: Request<Body>, options: Option<RequestOptions>) -> Result<Sent, Error> {
        let url = request.uri().to_string();
        let record = self.services.records.begin(&self.component.id, request.method().clone(), url.clone());
        let result = match self.check(&mut request, &url) {
            Ok(()) => self.send(request, options).await,
            Err(refusal) => Err(refusal),
        };
        record.end(match &result {
            Ok((response, _)) => Outcome::Status(response.status().as_u16()),
            Err(error) => Outcome::Failed(error.to_string()),
        });
        result
    }

    /// Whether the manifest allows the call. One to the application itself gets its address.
    fn check(&self, request: &mut Request<Body>, url: &str) -> Result<(), Error> {
        let allowed = self.services.allowed_hosts(&self.component.id);
        let host = request.uri().host().unwrap_or_default();
        let to_self = host.is_empty() || host == "self.alt";
        let is_allowed = if to_self { allowed.allow_self() } else { allowed.allow(url, "https") };
        if !is_allowed {
            self.services.say(&self.component, format!("may not call {url}: not in allowed_outbound_hosts"));
            return Err(Error::HttpRequestDenied);
        }
        if to_self {
            *request.uri_mut() = at_address(request.uri(), &self.services.addr.to_string())?;
        }
        Ok(())
    }

    async fn send(&self, request: Request<Body>, options: Option<RequestOptions>) -> Result<Sent, Error> {
        let authority = request.uri().authority().cloned();
        let authority = authority.as_ref().map_or("", Authority::as_str);
        let host = request.uri().host().unwrap_or_default();
        let destination = self.destination(host)?;
        let id = match &destination {
            Destination::Component(component) => &component.id,
            Destination::Network => "",
        };
        let fault = self.services.faults.meet_outbound(&[id, host, authority]);
        let waits = options.as_ref().and_then(|o| o.first_byte_timeout);
        let deliver = self.deliver(&destination, request, options);
        match fault {
            OutboundFault::None => deliver.await,
            OutboundFault::Refuse => Err(Error::ConnectionRefused),
            OutboundFault::Hang => hang(&destination, waits).await,
            OutboundFault::Slow(delay) => {
                let sent = deliver.await;
                tokio::time::sleep(delay).await;
                sent
            }
            OutboundFault::Cut => {
                whole(deliver.await?).await;
                Err(cut())
            }
            OutboundFault::CutMidBody => {
                let (head, body) = whole(deliver.await?).await;
                let half = body.slice(..body.len() / 2);
                Ok(complete(Response::from_parts(head, CutBody(Some(half)).boxed_unsync())))
            }
            OutboundFault::Status(status) => {
                let mut response = Response::new(full(""));
                *response.status_mut() =
                    http::StatusCode::from_u16(status).map_err(|_| Error::HttpProtocolError)?;
                Ok(complete(response))
            }
            OutboundFault::Respond(response) => Ok(complete(response.map(full))),
        }
    }

    fn destination(&self, host: &str) -> Result<Destination, Error> {
        match host.strip_suffix(CHAINING_SUFFIX) {
            Some(id) => self
                .services
                .app
                .component(id)
                .map(|component| Destination::Component(Arc::clone(component)))
                .ok_or(Error::DestinationNotFound),
            None => Ok(Destination::Network),
        }
    }

    async fn deliver(
        &self,
        destination: &Destination,
        request: Request<Body>,
        options: Option<RequestOptions>,
    ) -> Result<Sent, Error> {
        match destination {
            Destination::Component(component) => {
                let (services, component) = (Arc::clone(&self.services), Arc::clone(component));
                let (answer, answered) = oneshot::channel();
                // In a task of its own: an instance of WASI 0.3 that waits for it cannot run another one in its turn.
                self.services.tasks.spawn(async move {
                    let _ = answer.send(answer_chained(&services, &component, request).await);
                });
                Ok(complete(answered.await.map_err(|_| Error::ConnectionTerminated)?))
            }
            Destination::Network => network::send(request, options).await,
        }
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<Body>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        Box::new(self.clone().call(request, options))
    }
}

/// An answer with no connection behind it.
fn complete(response: Response<Body>) -> Sent {
    (response, Box::new(async { Ok(()) }))
}

fn at_address(uri: &Uri, authority: &str) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(|_| Error::HttpRequestUriInvalid)
}

/// Waits as a caller does for a service that says nothing.
async fn hang(destination: &Destination, waits: Option<Duration>) -> Result<Sent, Error> {
    match (destination, waits) {
        (Destination::Network, Some(waits)) => {
            tokio::time::sleep(waits).await;
            Err(Error::ConnectionReadTimeout)
        }
        _ => pending().await,
    }
}

/// Waits until the service has done everything it does for the answer.
async fn whole((response, rest): Sent) -> (http::response::Parts, Bytes) {
    let (head, body) = response.into_parts();
    let connection = wasmtime_wasi::runtime::spawn(Pin::from(rest));
    let body = body.collect().await;
    drop(connection);
    (head, body.map_or_else(|_| Bytes::new(), |body| body.to_bytes()))
}

/// What a caller is told when the connection closes too early.
fn cut() -> Error {
    Error::HttpProtocolError
}

/// The first part of a body, then the end of the connection.
struct CutBody(Option<Bytes>);

impl HttpBody for CutBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = self.0.take().filter(|part| !part.is_empty());
        Poll::Ready(Some(frame.map(Frame::data).ok_or_else(cut)))
    }
}
