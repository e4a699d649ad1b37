//! Outbound HTTP, bounded in time and size.

use octo_core::async_trait;
use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::Poll,
    time::Duration,
};

use futures::future::{Either, select};
use octo_core::{
    Clock, HttpOut, SendError,
    ports::{CallLimits, StepError},
};
use send_wrapper::SendWrapper;
use spin_executor::CancelOnDropToken;
use wasi::http::{
    outgoing_handler,
    types::{ErrorCode, FutureIncomingResponse, IncomingResponse, Method, OutgoingRequest, Scheme},
};

use super::body::{self, Outgoing, ReadError};
use crate::{SpinClock, clock::within, http_out::classify};

/// Spin's outbound HTTP; `http://NAME.spin.internal` reaches another component of the application.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinHttp;

#[async_trait]
impl HttpOut for SpinHttp {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limits: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        let pieces = AtomicUsize::new(0);
        let exchange = async { end(begin(request).await?, limits.max_answer, &pieces).await };
        within(limits.timeout, exchange).await.unwrap_or(Err(SendError::TimedOut))
    }

    async fn send_in_steps(
        &self,
        request: http::Request<Vec<u8>>,
        begin_within: Duration,
        limits: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, StepError> {
        let incoming = within(begin_within, begin(request)).await.ok_or(StepError::NotBegun)??;
        let pieces = AtomicUsize::new(0);
        let end = end(incoming, limits.max_answer, &pieces);
        let ended = patiently(limits.timeout, begin_within, &pieces, end).await;
        Ok(ended.unwrap_or(Err(SendError::TimedOut))?)
    }
}

/// In how many turns a time is waited.
const TURNS: u32 = 20;

/// What comes of `future`, which may be silent for `time` between two pieces. That is waited in turns: on a machine with
/// much to do each turn comes late, and what is waited for comes late by as much. So it gets `time` when the machine is
/// idle, and as many turns when it is not; but never more than `longest` in addition, pieces or not.
async fn patiently<T>(
    time: Duration,
    longest: Duration,
    pieces: &AtomicUsize,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let turns = async {
        let (mut turn, mut known) = (0, pieces.load(Relaxed));
        while turn < TURNS {
            SpinClock.sleep(time / TURNS).await;
            turn = if known == pieces.load(Relaxed) { turn + 1 } else { 0 };
            known = pieces.load(Relaxed);
        }
    };
    let turns = within(time + longest, turns);
    match select(&mut future, pin!(turns)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right((_, _)) => None,
    }
}

/// Sends the request, and waits for the head of the answer.
async fn begin(request: http::Request<Vec<u8>>) -> Result<IncomingResponse, SendError> {
    let (head, bytes) = request.into_parts();
    let outgoing = outgoing(&head, bytes.len())?;
    let unfit = || SendError::NotSent("the request has no body to write to".into());
    let body = Outgoing::begin(outgoing.body().map_err(|()| unfit())?, &bytes).ok_or_else(unfit)?;
    let pending = if body.is_complete() {
        body.finish();
        outgoing_handler::handle(outgoing, None).map_err(classify)?
    } else {
        let pending = outgoing_handler::handle(outgoing, None).map_err(classify)?;
        body.finish();
        pending
    };
    response(&pending).await.map_err(classify)
}

/// Reads the rest of the answer.
async fn end(
    incoming: IncomingResponse,
    max_answer: usize,
    pieces: &AtomicUsize,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let mut answer = http::Response::new(Vec::new());
    *answer.status_mut() = http::StatusCode::from_u16(incoming.status())
        .map_err(|_| SendError::Broken("the answer has no valid status".into()))?;
    *answer.headers_mut() = body::headers(&incoming.headers());
    let broken = || SendError::Broken("the body broke off".into());
    let body = incoming.consume().map_err(|()| broken())?;
    // The compiler does not see that a future made of an async closure may go to another thread. There is none.
    let read = SendWrapper::new(body::read(&body, answer.headers(), max_answer, pieces)).await;
    *answer.body_mut() = read.map_err(|error| match error {
        ReadError::TooLarge => SendError::TooLarge,
        ReadError::Broken | ReadError::Late => broken(),
    })?;
    Ok(answer)
}

async fn response(pending: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    // Declared after the future it polls, and dropped before it.
    let mut registration = None;
    poll_fn(|context| match pending.get() {
        Some(result) => {
            registration = None;
            // The inner error means that the answer was taken before; we ask once.
            Poll::Ready(result.unwrap_or(Err(ErrorCode::InternalError(None))))
        }
        None => {
            let token = spin_executor::push_waker_and_get_token(pending.subscribe(), context.waker().clone());
            registration = Some(CancelOnDropToken::from(token));
            Poll::Pending
        }
    })
    .await
}

fn outgoing(head: &http::request::Parts, length: usize) -> Result<OutgoingRequest, SendError> {
    let unfit = |what: &str| SendError::NotSent(format!("{what} is not fit to be sent"));
    let request = OutgoingRequest::new(body::fields(&head.headers, length).ok_or_else(|| unfit("a header"))?);
    let method = method(&head.method);
    let scheme = match head.uri.scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    request.set_method(&method).map_err(|()| unfit("the method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| unfit("the scheme"))?;
    let authority = head.uri.authority().map(|authority| authority.as_str());
    request.set_authority(authority).map_err(|()| unfit("the host"))?;
    let path = head.uri.path_and_query().map(|path| path.as_str());
    request.set_path_with_query(path).map_err(|()| unfit("the path"))?;
    Ok(request)
}

/// The method as WASI has it.
fn method(method: &http::Method) -> Method {
    match method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}
