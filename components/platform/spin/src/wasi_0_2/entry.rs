//! A component's entry.

use octo_core::Problem;
use octo_http::{Bodies, Body, BodyError, Request, Response, app::AfterResponse, enclosed};
use wasi::{
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam},
    io::streams::OutputStream,
};

use super::body::{self, Outgoing, ReadError};
use crate::exchange::{self, BODY_TIME, Logged};

/// One request, and the place for its answer.
pub struct Exchange {
    /// The request.
    pub incoming: IncomingRequest,
    /// Where the answer goes.
    pub out: ResponseOutparam,
}

/// What the entry gives back to the platform, which has the answer by then.
pub type Outcome = ();

/// See [`serve`](crate::serve); then does what was left for after the response.
pub(crate) async fn serve_then(
    component: &str,
    logged: Logged,
    bodies: impl Into<Bodies>,
    Exchange { incoming, out }: Exchange,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
    after: AfterResponse,
) -> Outcome {
    let bodies = bodies.into();
    let request = read(incoming, bodies.most).await;
    let (response, line) = exchange::answer(component, logged, &bodies, request, handle).await;
    write(out, response);
    if let Some(line) = line {
        println!("{line}");
    }
    after.finish().await;
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
    Exchange { incoming, out }: Exchange,
    handle: impl AsyncFnOnce(Request, &Listener) -> Result<Response, Problem>,
) {
    let request = read(incoming, max_body).await;
    let outgoing = OutgoingResponse::new(Fields::new());
    let body = outgoing.body().ok();
    ResponseOutparam::set(out, Ok(outgoing));
    let listener = Listener(body.and_then(|body| body.write().ok().map(|stream| (body, stream))));
    let answer = async |request| handle(request, &listener).await;
    let (response, line) = exchange::answer(component, logged, &max_body.into(), request, answer).await;
    let bytes = enclosed::pack(&response);
    if let Some((body, stream)) = listener.0 {
        Outgoing::over(body, stream, &bytes).finish();
    }
    if let Some(line) = line {
        println!("{line}");
    }
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
