//! Outbound HTTP, bounded in time and size.

use octo_core::async_trait;
use std::{pin::pin, time::Duration};

use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderValue, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use octo_core::{Clock, HttpOut, SendError, ports::CallLimits};
use send_wrapper::SendWrapper;
use spin_sdk_7::wasip3::{
    http::{client, types::ErrorCode},
    http_compat::{http_from_wasi_response, http_into_wasi_request},
};

use super::let_spawned_tasks_begin;
use crate::SpinClock;

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
        let exchange = SendWrapper::new(exchange(request, limits.max_answer));
        within(limits.timeout, exchange).await.unwrap_or(Err(SendError::TimedOut))
    }
}

/// What comes of `future`, unless it takes longer. When both are ready the future counts.
pub(super) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(SpinClock.sleep(time))).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(((), _)) => None,
    }
}

async fn exchange(
    request: http::Request<Vec<u8>>,
    max_answer: usize,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let (mut head, body) = request.into_parts();
    with_length(&mut head.headers, body.len());
    let request = http::Request::from_parts(head, Full::new(Bytes::from(body)));
    let request = http_into_wasi_request(request).map_err(classify)?;
    let_spawned_tasks_begin().await;
    let response = client::send(request).await.map_err(classify)?;
    let (head, body) = http_from_wasi_response(response).map_err(classify)?.into_parts();
    let announced =
        head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > max_answer) {
        return Err(SendError::TooLarge);
    }
    let body = Limited::new(body, max_answer)
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { SendError::TooLarge } else { broken() })?;
    let body = Vec::from(body.to_bytes());
    // A body that is shorter than announced was cut.
    if announced.is_some_and(|length| body.len() < length) {
        return Err(broken());
    }
    Ok(http::Response::from_parts(head, body))
}

fn broken() -> SendError {
    SendError::Broken("the body broke off".into())
}

/// Tells a call that never happened from one that may have.
fn classify(code: ErrorCode) -> SendError {
    let text = format!("{code:?}");
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
        | ErrorCode::HttpRequestUriInvalid => SendError::NotSent(text),
        ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionReadTimeout => SendError::TimedOut,
        _ => SendError::Broken(text),
    }
}

/// Announces the length of a body.
pub(super) fn with_length(headers: &mut http::HeaderMap, length: usize) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}
