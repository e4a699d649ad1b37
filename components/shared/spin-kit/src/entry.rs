//! A component's entry.

use std::pin::pin;

use futures::{SinkExt, StreamExt, future::poll_immediate};
use octo_core::Problem;
use octo_edge::{Body, BodyError, Request, Response};
use spin_sdk::http::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};

use crate::{SpinClock, SpinEntropy};

/// Reads the request, of which at most `max_body` bytes are taken in, lets `handle` answer it, sends the
/// answer, and logs one line.
pub async fn serve(
    component: &str,
    max_body: usize,
    incoming: IncomingRequest,
    out: ResponseOutparam,
    handle: impl AsyncFnOnce(Request) -> Result<Response, Problem>,
) {
    let request = read(incoming, max_body).await;
    let answered = octo_edge::answer(component, &SpinClock, &SpinEntropy, request, handle).await;
    write(out, answered.response).await;
    println!("{}", answered.log_line);
}

async fn read(incoming: IncomingRequest, max_body: usize) -> Request {
    let mut request = http::Request::new(Ok(Vec::new()));
    *request.method_mut() = incoming.method().into();
    if let Some(Ok(uri)) = incoming.path_with_query().map(|path| path.parse()) {
        *request.uri_mut() = uri;
    }
    for (name, value) in incoming.headers().entries() {
        if let (Ok(name), Ok(value)) =
            (http::HeaderName::from_bytes(name.as_bytes()), http::HeaderValue::from_bytes(&value))
        {
            request.headers_mut().append(name, value);
        }
    }
    *request.body_mut() = read_body(incoming, request.headers(), max_body).await;
    request
}

async fn read_body(incoming: IncomingRequest, headers: &http::HeaderMap, max_body: usize) -> Body {
    let announced =
        headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let announced: usize = announced.unwrap_or(0);
    if announced > max_body {
        return Err(BodyError::TooLarge(max_body));
    }
    let mut body = Vec::with_capacity(announced);
    let mut chunks = pin!(incoming.into_body_stream());
    while let Some(chunk) = chunks.next().await {
        body.extend(chunk.map_err(|_| BodyError::Broken)?);
        if body.len() > max_body {
            return Err(BodyError::TooLarge(max_body));
        }
    }
    Ok(body)
}

/// Sends `response` with its length, and hands over the body before the head, so that the host writes both
/// at once: Spin sets no TCP_NODELAY, and a second write would wait 40 ms for a keep-alive client.
async fn write(out: ResponseOutparam, response: Response) {
    let (head, body) = response.into_parts();
    let mut entries: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    entries.push(("content-length".into(), body.len().to_string().into_bytes()));
    let outgoing = OutgoingResponse::new(Fields::from_list(&entries).unwrap_or_else(|_| Fields::new()));
    // Fails only for a status outside 100..=999, which `http::StatusCode` rules out.
    let _ = outgoing.set_status_code(head.status.as_u16());
    let mut sink = outgoing.take_body();
    let mut rest = pin!(async {
        // A client that went away does not want the rest.
        let _ = sink.send(body).await;
    });
    let done = poll_immediate(&mut rest).await.is_some();
    out.set(outgoing);
    if !done {
        rest.await;
    }
}
