//! A component's entry.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::channel::oneshot;
use http_body::Frame;
use http_body_util::Full;
use octo_core::Problem;
use octo_http::{Bodies, Body, BodyError, Request, Response, app::AfterResponse};
use spin_sdk_7::wasip3::{
    http::types::{self, ErrorCode},
    http_compat::{IncomingRequestBody, http_from_wasi_request, http_into_wasi_response},
    wit_bindgen::spawn,
};

use super::{
    body::{self, ReadError, with_length},
    let_spawned_tasks_begin,
};
use crate::{
    clock::within,
    exchange::{self, BODY_TIME, Logged},
};

/// One request.
pub struct Exchange(
    /// The request.
    pub types::Request,
);

/// What the entry gives back to the platform: the answer.
pub type Outcome = Result<types::Response, ErrorCode>;

/// See [`serve`](crate::serve); then does what was left for after the response, which holds up neither the client nor other requests.
pub(crate) async fn serve_then(
    component: &str,
    logged: Logged,
    bodies: impl Into<Bodies>,
    Exchange(request): Exchange,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
    after: AfterResponse,
) -> Outcome {
    let bodies = bodies.into();
    let request = read(request, bodies.most).await?;
    let (response, line) = exchange::answer(component, logged, &bodies, request, handle).await;
    let (mut head, body) = response.into_parts();
    with_length(&mut head.headers, body.len());
    let (handed_over, is_handed_over) = oneshot::channel();
    let body = Handed { body: Full::new(Bytes::from(body)), over: Some(handed_over) };
    let response = http_into_wasi_response(http::Response::from_parts(head, body))?;
    spawn(async move {
        // A store that hangs may hold up the whole instance, but never a response. A client that does not take its response
        // holds up nothing else.
        let _ = within(CLIENT_TIME, is_handed_over).await;
        if let Some(line) = line {
            println!("{line}");
        }
        after.finish().await;
    });
    let_spawned_tasks_begin().await;
    Ok(response)
}

/// Serves a request whose body is read, and whose response is written, as it comes, with trailers: for protocols that are more
/// than one request and one response. `handle` says the line for the log, too.
pub async fn serve_streams<B>(
    Exchange(request): Exchange,
    handle: impl AsyncFnOnce(http::Request<IncomingRequestBody>) -> (http::Response<B>, String),
) -> Outcome
where
    B: http_body::Body<Data = Bytes> + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (head, body) = arrived(request)?;
    let (response, line) = handle(http::Request::from_parts(head, body)).await;
    let (handed_over, is_handed_over) = oneshot::channel();
    let response = response.map(|body| Handed { body, over: Some(handed_over) });
    let response = http_into_wasi_response(response)?;
    spawn(async move {
        let _ = within(CLIENT_TIME, is_handed_over).await;
        println!("{line}");
    });
    let_spawned_tasks_begin().await;
    Ok(response)
}

/// How long what is left to do waits for a client to take its response.
const CLIENT_TIME: Duration = Duration::from_secs(1);

/// A body that says when the host has all of it.
struct Handed<B> {
    body: B,
    over: Option<oneshot::Sender<()>>,
}

impl<B: http_body::Body + Unpin> http_body::Body for Handed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        // Asked for more, who writes it has handed over the rest.
        if let Some(over) = self.over.take_if(|_| frame.is_none()) {
            let _ = over.send(());
        }
        Poll::Ready(frame)
    }
}

/// The request, its target the path alone, as a request line has it.
fn arrived(request: types::Request) -> Result<(http::request::Parts, IncomingRequestBody), ErrorCode> {
    let (mut head, body) = http_from_wasi_request(request)?.into_parts();
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = target.parse().map_err(|_| ErrorCode::HttpRequestUriInvalid)?;
    Ok((head, body))
}

async fn read(request: types::Request, max_body: usize) -> Result<Request, ErrorCode> {
    let (head, body) = arrived(request)?;
    let body = read_body(&head, body, max_body).await;
    Ok(Request::from_parts(head, body))
}

async fn read_body(head: &http::request::Parts, body: IncomingRequestBody, max_body: usize) -> Body {
    let body = within(BODY_TIME, body::read(body, &head.headers, max_body)).await;
    body.ok_or(BodyError::Late(BODY_TIME))?.map_err(|error| match error {
        ReadError::TooLarge => BodyError::TooLarge(max_body),
        ReadError::Broken => BodyError::Broken,
    })
}
