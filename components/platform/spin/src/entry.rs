//! A component's entry.

use std::time::Duration;

use octo_core::Problem;
use octo_http::{Bodies, Body, BodyError, Request, Response, enclosed, exchange::Answered};
use wasi::{
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam},
    io::streams::OutputStream,
};

use crate::{
    SpinClock, SpinEntropy,
    body::{self, Outgoing, ReadError},
};

/// Which requests are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// All.
    Every,
    /// Those that go wrong: for a component whose caller logs the rest.
    Failures,
}

/// How long a client may take to send the whole body. Neither Spin 3 nor 4 ends a slow one by itself. The largest body takes
/// 26 kB/s, a message of 64 KiB a sixth of that.
const BODY_TIME: Duration = Duration::from_secs(15);

/// Reads the request with a body of the given kind, lets `handle` answer it, sends the
/// answer, and logs one line.
pub async fn serve(
    component: &str,
    logged: Logged,
    bodies: impl Into<Bodies>,
    incoming: IncomingRequest,
    out: ResponseOutparam,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
) {
    let bodies = bodies.into();
    let request = read(incoming, bodies.most).await;
    let handle = async |request| {
        bodies.check(&request)?;
        handle(request).await
    };
    let answered = octo_http::answer(component, &SpinClock, &SpinEntropy, request, handle).await;
    let line = line(logged, &answered);
    write(out, answered.response);
    if let Some(line) = line {
        println!("{line}");
    }
}

/// A client that waits for an answer of which only the head is sent.
#[derive(Debug)]
pub struct Listener(Option<(OutgoingBody, OutputStream)>);

impl Listener {
    /// Whether somebody still waits for the answer. Sends a byte that means nothing but that the work goes on: who has
    /// gone cannot be sent one.
    pub fn is_there(&self) -> bool {
        let Some((_, stream)) = &self.0 else { return false };
        match stream.check_write() {
            Ok(0) => true,
            Ok(_) => stream.write(&[enclosed::PADDING]).is_ok(),
            Err(_) => false,
        }
    }
}

/// The same in two steps ([`HttpOut::send_in_steps`](octo_core::HttpOut::send_in_steps)): the head of the answer is
/// sent at once, to say that the request is being worked on; the answer itself, enclosed in the body, when there is
/// one. For a component that only others of this application ask.
pub async fn serve_in_steps(
    component: &str,
    logged: Logged,
    max_body: usize,
    incoming: IncomingRequest,
    out: ResponseOutparam,
    handle: impl AsyncFnOnce(Request, &Listener) -> Result<Response, Problem>,
) {
    let request = read(incoming, max_body).await;
    let outgoing = OutgoingResponse::new(Fields::new());
    let body = outgoing.body().ok();
    ResponseOutparam::set(out, Ok(outgoing));
    let listener = Listener(body.and_then(|body| body.write().ok().map(|stream| (body, stream))));
    let answer = async |request| handle(request, &listener).await;
    let answered = octo_http::answer(component, &SpinClock, &SpinEntropy, request, answer).await;
    let line = line(logged, &answered);
    let bytes = enclosed::pack(&answered.response);
    if let Some((body, stream)) = listener.0 {
        Outgoing::over(body, stream, &bytes).finish();
    }
    if let Some(line) = line {
        println!("{line}");
    }
}

/// The line for the log, if there is to be one.
fn line(logged: Logged, answered: &Answered) -> Option<String> {
    let went_well = answered.response.status().is_success();
    let is_logged = logged == Logged::Every && !answered.routine;
    (is_logged || !went_well).then(|| answered.log_line.clone())
}

async fn read(incoming: IncomingRequest, max_body: usize) -> Request {
    let mut request = http::Request::new(Ok(Vec::new()));
    *request.method_mut() = body::method(&incoming.method());
    if let Some(Ok(uri)) = incoming.path_with_query().map(|path| path.parse()) {
        *request.uri_mut() = uri;
    }
    *request.headers_mut() = body::headers(&incoming.headers());
    *request.body_mut() = read_body(&incoming, request.headers(), max_body).await;
    request
}

async fn read_body(incoming: &IncomingRequest, headers: &http::HeaderMap, max_body: usize) -> Body {
    let body = incoming.consume().map_err(|()| BodyError::Broken)?;
    body::read_within(BODY_TIME, &body, headers, max_body).await.map_err(|error| match error {
        ReadError::TooLarge => BodyError::TooLarge(max_body),
        ReadError::Broken => BodyError::Broken,
        ReadError::Late => BodyError::Late(BODY_TIME),
    })
}

/// Sends `response` with its length, and hands over the body before the head, so that the host writes both
/// at once: Spin sets no TCP_NODELAY, and a second write would wait 40 ms for a keep-alive client.
fn write(out: ResponseOutparam, response: Response) {
    let (head, bytes) = response.into_parts();
    let outgoing =
        OutgoingResponse::new(body::fields(&head.headers, bytes.len()).unwrap_or_else(Fields::new));
    // Fails only for a status outside 100..=999, which `http::StatusCode` rules out.
    let _ = outgoing.set_status_code(head.status.as_u16());
    match outgoing.body().ok().and_then(|body| Outgoing::begin(body, &bytes)) {
        Some(body) if body.is_complete() => {
            body.finish();
            ResponseOutparam::set(out, Ok(outgoing));
        }
        Some(body) => {
            ResponseOutparam::set(out, Ok(outgoing));
            body.finish();
        }
        None => ResponseOutparam::set(out, Ok(outgoing)),
    }
}
