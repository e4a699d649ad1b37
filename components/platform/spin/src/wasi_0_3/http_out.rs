//! Outbound HTTP, bounded in time and size.

use octo_core::async_trait;

use bytes::Bytes;
use http_body_util::Full;
use octo_core::{HttpOut, SendError, ports::CallLimits};
use send_wrapper::SendWrapper;
use spin_sdk_7::wasip3::{
    http::client,
    http_compat::{http_from_wasi_response, http_into_wasi_request},
};

use super::{
    body::{self, ReadError, with_length},
    let_spawned_tasks_begin,
};
use crate::{clock::within, http_out::classify};

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
    let body = body::read(body, &head.headers, max_answer).await.map_err(|error| match error {
        ReadError::TooLarge => SendError::TooLarge,
        ReadError::Broken => SendError::Broken("the body broke off".into()),
    })?;
    Ok(http::Response::from_parts(head, body))
}
