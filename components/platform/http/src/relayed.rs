//! A client outside for whom another component of this application speaks.
//!
//! A chained call comes from nowhere: the platform says `0.0.0.0` of each. Where the client's address counts, as for attempts to
//! log in, the component that was called by the client passes the address on, with the key that the two components share. What
//! comes without the key is not believed, so no client can choose its address.

use http::{HeaderMap, HeaderName, HeaderValue};
use octo_core::StoreError;

use crate::{App, ServiceKey};

const SOURCE: HeaderName = HeaderName::from_static("octo-relayed-source");
const KEY: HeaderName = HeaderName::from_static("octo-relayed-key");

/// Says that the client at `source` (as [`source::of`](crate::source::of) tells it) is the one who asks; `key` is that of the
/// component that is called.
pub fn write(headers: &mut HeaderMap, source: &str, key: &str) {
    for (name, value) in [(SOURCE, source), (KEY, key)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

/// The address of the client for whom a component speaks. `None`: nobody does, or without the key.
///
/// # Errors
/// When the store that has the key is away.
pub async fn source(headers: &HeaderMap, app: &App) -> Result<Option<String>, StoreError> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let (Some(source), Some(key)) = (text(SOURCE), text(KEY)) else { return Ok(None) };
    let believed = ServiceKey::new(&app.store, app.name).accepts(key).await?;
    Ok(believed.then(|| source.to_owned()))
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use octo_core::{sql::NoSql, testing::ready};

    use super::*;
    use crate::testing::app;

    #[test]
    fn an_address_is_believed_with_the_key_of_this_component_alone() {
        let app = app("auth", &[], NoSql);
        let key = |callee| ready(ServiceKey::new(&app.store, callee).obtain(&app.entropy)).unwrap();
        let (own, other) = (key("auth"), key("orders"));
        let told = |key: Option<&str>| {
            let mut headers = HeaderMap::new();
            write(&mut headers, "192.0.2.1", key.unwrap_or(""));
            if key.is_none() {
                headers.remove(KEY);
            }
            ready(source(&headers, &app)).unwrap()
        };
        assert_eq!(told(Some(&own)).as_deref(), Some("192.0.2.1"));
        for wrong in [Some(other.as_str()), Some(""), Some("guess"), None] {
            assert_eq!(told(wrong), None, "{wrong:?}");
        }
        assert_eq!(ready(source(&HeaderMap::new(), &app)).unwrap(), None);
    }
}
