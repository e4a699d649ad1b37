//! A script for a Redis server, and what its answer means, in the types of either SDK.

use octo_core::StoreError;

use crate::sdk::redis::{Error, RedisParameter, RedisResult};

/// The parameters of `EVALSHA` or `EVAL`: the script by its digest or as it is, then what it is given.
pub(crate) fn parameters(script: &str, keys: &[String], args: &[String]) -> Vec<RedisParameter> {
    let number_of_keys = keys.len().to_string();
    let texts = [script, &number_of_keys].into_iter().chain(keys.iter().chain(args).map(String::as_str));
    texts.map(|text| RedisParameter::Binary(text.as_bytes().to_vec())).collect()
}

/// The server has not seen the script: it is new, restarted, or forgot it. Spin passes on the text of its
/// client library, which has the server's word or its own.
pub(crate) fn is_unknown_script(error: &Error) -> bool {
    matches!(error, Error::Other(text) if text.contains("NOSCRIPT") || text.contains("NoScript"))
}

pub(crate) fn whole(result: RedisResult) -> Result<i64, StoreError> {
    match result {
        RedisResult::Int64(value) => Ok(value),
        other => Err(StoreError(format!("the script answers {other:?}, which is no whole number"))),
    }
}

pub(crate) fn failed(error: Error) -> StoreError {
    StoreError(match error {
        Error::InvalidAddress => "the address is not allowed or no address of a Redis server".into(),
        Error::TooManyConnections => "too many connections to Redis".into(),
        Error::TypeError => "Redis answers with another type".into(),
        Error::Other(text) => text,
    })
}
