//! Asking another component of this application.

use http::{Method, Request, Response, header};
use octo_core::{Entropy, HttpOut, KeyValue, ports::CallLimits};

use crate::ServiceKey;

/// A component that is asked with the key it shares with those who may ask it.
#[derive(Debug)]
pub struct Component<'a, K, H, E> {
    /// Its name in `spin.toml`.
    pub name: &'static str,
    /// Where the key is.
    pub store: &'a K,
    /// The way there.
    pub http: &'a H,
    /// What a new key is made of.
    pub entropy: &'a E,
}

/// There was no answer. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{component}` does not answer: {reason}")]
pub struct Unanswered {
    component: &'static str,
    reason: String,
}

impl<K: KeyValue, H: HttpOut, E: Entropy> Component<'_, K, H, E> {
    /// Sends a request with a JSON body, or an empty one, and reads the answer within `limits`. Never repeated.
    ///
    /// # Errors
    /// When there is no whole answer. The request may have been carried out.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        json: &str,
        limits: CallLimits,
    ) -> Result<Response<Vec<u8>>, Unanswered> {
        let key = ServiceKey::new(self.store, self.name).obtain(self.entropy).await;
        let key = key.map_err(|error| self.unanswered(error))?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}.spin.internal{path}", self.name))
            .header(header::AUTHORIZATION, format!("Bearer {key}"));
        if !json.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(json.as_bytes().to_vec()).map_err(|error| self.unanswered(error))?;
        self.http.send(request, limits).await.map_err(|error| self.unanswered(error))
    }

    /// An answer that is none.
    pub fn unanswered(&self, reason: impl ToString) -> Unanswered {
        Unanswered { component: self.name, reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use octo_core::{
        SendError,
        testing::{FakeEntropy, FakeHttp, FakeKeyValue, ready},
    };

    use super::*;

    #[test]
    fn a_component_is_asked_with_its_key_and_its_silence_is_explained() {
        let answers =
            FakeHttp::default().will(Ok(Response::new(b"{}".to_vec()))).will(Err(SendError::TimedOut));
        let (store, entropy) = (FakeKeyValue::default(), FakeEntropy::default());
        let auth = Component { name: "auth", store: &store, http: &answers, entropy: &entropy };
        let limits = CallLimits { timeout: Duration::from_secs(1), max_answer: 10 };
        assert_eq!(ready(auth.ask(Method::PUT, "/internal/x", "{}", limits)).unwrap().body(), b"{}");
        let silence = ready(auth.ask(Method::GET, "/internal/x", "", limits)).unwrap_err();
        assert_eq!(silence.to_string(), "`auth` does not answer: no answer in time");

        let requests = answers.requests.borrow();
        assert_eq!(requests[0].uri(), "http://auth.spin.internal/internal/x");
        assert_eq!(requests[0].headers()["content-type"], "application/json");
        assert!(!requests[1].headers().contains_key("content-type"));
        let presented = crate::caller::bearer(requests[0].headers()).unwrap();
        assert!(ready(ServiceKey::new(&store, "auth").accepts(presented)).unwrap());
    }
}
