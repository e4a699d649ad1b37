//! Outbound HTTP, bounded in time and size.

use std::pin::pin;

use futures::{
    SinkExt, StreamExt,
    future::{Either, select},
};
use octo_core::{Clock, HttpOut, SendError, ports::CallLimits};
use spin_sdk::http::{
    ErrorCode, Headers, IncomingResponse, Method, OutgoingRequest, Scheme, SendError as SpinSendError,
};

use crate::SpinClock;

/// Spin's outbound HTTP; `http://NAME.spin.internal` reaches another component of the application.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinHttp;

impl HttpOut for SpinHttp {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limits: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        // The host's own timeouts bound each phase; only a timer here bounds the whole exchange.
        let exchange = pin!(exchange(request, limits.max_answer));
        let timer = pin!(SpinClock.sleep(limits.timeout));
        match select(exchange, timer).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err(SendError::TimedOut),
        }
    }
}

async fn exchange(
    request: http::Request<Vec<u8>>,
    max_answer: usize,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let (head, body) = request.into_parts();
    let outgoing = outgoing(&head, body.len())?;
    let mut sink = outgoing.take_body();
    let sent = spin_sdk::http::send::<_, IncomingResponse>(outgoing);
    let written = async {
        // A server may answer before it has read everything: what it answers counts, not this error.
        let _ = sink.send(body).await;
        drop(sink);
    };
    let (answered, ()) = futures::future::join(sent, written).await;
    let response = answered.map_err(classify)?;

    let mut answer = http::Response::builder().status(response.status());
    for (name, value) in response.headers().entries() {
        answer = answer.header(name, value);
    }
    let body = read_body(&response, max_answer).await?;
    answer.body(body).map_err(|error| SendError::Broken(error.to_string()))
}

fn outgoing(head: &http::request::Parts, length: usize) -> Result<OutgoingRequest, SendError> {
    let unfit = |what: &str| SendError::NotSent(format!("{what} is not fit to be sent"));
    let mut entries: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    entries.push(("content-length".into(), length.to_string().into_bytes()));
    let headers = Headers::from_list(&entries).map_err(|_| unfit("a header"))?;
    let request = OutgoingRequest::new(headers);
    let method = Method::from(head.method.clone());
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

async fn read_body(response: &IncomingResponse, max_answer: usize) -> Result<Vec<u8>, SendError> {
    let mut body = Vec::new();
    let mut chunks = pin!(response.take_body_stream());
    while let Some(chunk) = chunks.next().await {
        body.extend(chunk.map_err(|error| SendError::Broken(error.to_debug_string()))?);
        if body.len() > max_answer {
            return Err(SendError::TooLarge);
        }
    }
    // The host ends a broken body without an error when it can still hand out what came before.
    let announced = response.headers().get(&"content-length".to_owned());
    let announced = announced.first().and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    match announced {
        Some(length) if body.len() < length => Err(SendError::Broken("the body is incomplete".into())),
        _ => Ok(body),
    }
}

/// Tells a call that never happened from one that may have.
fn classify(error: SpinSendError) -> SendError {
    let SpinSendError::Http(code) = &error else {
        return SendError::Broken(error.to_string());
    };
    match code {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::HttpRequestDenied
        | ErrorCode::HttpRequestUriInvalid => SendError::NotSent(error.to_string()),
        ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionReadTimeout => SendError::TimedOut,
        _ => SendError::Broken(error.to_string()),
    }
}
