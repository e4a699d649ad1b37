//! What went wrong with a call, in the error codes of either version of `wasi:http`.

use octo_core::SendError;

use crate::lane::ErrorCode;

/// Tells a call that never happened from one that may have.
pub(crate) fn classify(code: ErrorCode) -> SendError {
    let text = code.to_string();
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
