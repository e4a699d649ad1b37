//! Where a provider is and how it is called: its variables, checked once, and the requests that follow from them.

use std::{str::FromStr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use octo_core::{
    SettingError, Settings,
    settings::{milliseconds, text},
};
use serde_json::Value;

use super::{
    preset::Preset,
    template::{BodyTemplate, MESSAGE, MODEL, encoded},
};
use crate::{
    Message,
    response::{Reading, ResultPlace, Success},
};

/// A provider: where it is, how it is called, and how its response is read.
#[derive(Clone, Debug)]
pub struct Endpoint {
    method: Method,
    origin: String,
    /// Path and query, with the place of the message unless that is in the body.
    path: String,
    /// None for a method without a body.
    body: Option<BodyTemplate>,
    headers: HeaderMap,
    key_place: KeyPlace,
    preset: Preset,
    /// The credential; `None` when the operator has set none.
    pub key: Option<String>,
    /// From the first byte sent to the last byte received.
    pub timeout: Duration,
    /// How its response is read.
    pub reading: Reading,
}

/// Where the credential goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyPlace {
    /// `Authorization: Bearer`
    Bearer,
    /// A header field of this name, which holds nothing else.
    Header(HeaderName),
    /// A parameter of the query.
    Query(String),
}

/// The URI would be longer than one can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriTooLong;

impl Endpoint {
    /// Reads and checks the variables that begin with `provider`, such as `free_provider`.
    pub(crate) fn read(
        settings: &impl Settings,
        provider: &str,
        window: Duration,
    ) -> Result<Self, SettingError> {
        let variables = Variables { settings, provider };
        let preset = variables.preset()?;
        let model = variables.model()?;
        let (method, path) = variables.method_and_path(preset, &model)?;
        let body = variables.body(preset, &model, &method, &path)?;
        let endpoint = Self {
            origin: variables.origin()?,
            headers: variables.headers(preset)?,
            key_place: variables.key_place(preset)?,
            key: variables.key()?,
            timeout: timeout(settings, provider)?,
            reading: Reading {
                success: variables.success()?,
                result: variables.result_place(preset)?,
                is_chat: preset.is_chat(),
                window,
            },
            method,
            path,
            body,
            preset,
        };
        match endpoint.uri("", Some("")) {
            Some(_) => Ok(endpoint),
            None => {
                Err(variables.wrong("path", "must be a path, with a query or without one, as a URI has it"))
            }
        }
    }

    /// Whether it is called with the key that Octo made, for the operator has set none. Only the paid provider of this
    /// application accepts that one, so no chat API is sent it.
    pub fn needs_made_key(&self) -> bool {
        self.key.is_none() && self.preset == Preset::Plain
    }

    /// The request that sends `message` under the id `id`, with the credential `key`.
    pub(super) fn request(
        &self,
        key: Option<&str>,
        id: &str,
        message: &Message,
    ) -> Result<Request<Vec<u8>>, UriTooLong> {
        let uri = self.uri(message.as_str(), key).ok_or(UriTooLong)?;
        let mut request = Request::new(Vec::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Ok(id) = HeaderValue::from_str(id) {
            // A provider that understands it processes the message once even if the network repeats the request.
            headers.insert("idempotency-key", id.clone());
            // So that the provider's log can be read beside ours.
            headers.insert("x-request-id", id);
        }
        let credential = key.and_then(|key| match &self.key_place {
            KeyPlace::Bearer => Some((header::AUTHORIZATION, format!("Bearer {key}"))),
            KeyPlace::Header(name) => Some((name.clone(), key.to_owned())),
            KeyPlace::Query(_) => None,
        });
        if let Some((name, key)) = credential
            && let Ok(mut key) = HeaderValue::try_from(key)
        {
            key.set_sensitive(true);
            headers.insert(name, key);
        }
        headers.extend(self.headers.clone());
        if let Some(body) = &self.body {
            *request.body_mut() = body.with(message.as_str());
        }
        Ok(request)
    }

    fn uri(&self, message: &str, key: Option<&str>) -> Option<Uri> {
        let mut uri = format!("{}{}", self.origin, self.path.replace(MESSAGE, &encoded(message)));
        if let (KeyPlace::Query(name), Some(key)) = (&self.key_place, key) {
            let mark = if self.path.contains('?') { '&' } else { '?' };
            uri.push_str(&format!("{mark}{}={}", encoded(name), encoded(key)));
        }
        uri.parse().ok()
    }
}

/// How long a call to `provider` may take.
pub(crate) fn timeout(settings: &impl Settings, provider: &str) -> Result<Duration, SettingError> {
    milliseconds(settings, &format!("{provider}_timeout_ms"), 10..=20_000)
}

/// The variables of one provider.
struct Variables<'a, S> {
    settings: &'a S,
    provider: &'a str,
}

impl<S: Settings> Variables<'_, S> {
    fn text(&self, suffix: &str) -> Result<String, SettingError> {
        text(self.settings, &self.name(suffix))
    }

    /// The same; none when it is empty, so that the preset says what it is.
    fn set(&self, suffix: &str) -> Result<Option<String>, SettingError> {
        self.text(suffix).map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    fn name(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.provider)
    }

    fn wrong(&self, suffix: &str, rule: impl Into<String>) -> SettingError {
        SettingError::new(&self.name(suffix), rule)
    }

    fn preset(&self) -> Result<Preset, SettingError> {
        let name = self.text("preset")?;
        name.parse().map_err(|()| {
            let names = Preset::ALL.map(Preset::name).join("`, `");
            self.wrong("preset", format!("must be one of `{names}`; it is `{name}`"))
        })
    }

    fn model(&self) -> Result<String, SettingError> {
        let model = self.text("model")?;
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"{}\"\\".contains(&byte);
        if model.bytes().all(fits) {
            Ok(model)
        } else {
            Err(self.wrong("model", "must be printable ASCII without spaces, quotes, backslashes and braces"))
        }
    }

    /// Whether there is a model for `text`, if that has a place for one.
    fn require_model(&self, text: &str, model: &str) -> Result<(), SettingError> {
        if text.contains(MODEL) && model.is_empty() {
            let rule = "must name the provider's model, for its path or its template has a place for it";
            return Err(self.wrong("model", rule));
        }
        Ok(())
    }

    fn origin(&self) -> Result<String, SettingError> {
        let origin = self.text("origin")?;
        if is_origin(&origin) {
            return Ok(origin.trim_end_matches('/').to_owned());
        }
        let rule = format!("must be an origin such as `https://api.example.com`; it is `{origin}`");
        Err(self.wrong("origin", rule))
    }

    /// `/path`, for `POST`, or the method, a space and the path.
    fn method_and_path(&self, preset: Preset, model: &str) -> Result<(Method, String), SettingError> {
        let text = self.set("path")?.unwrap_or_else(|| preset.path().to_owned());
        let (method, path) = text.split_once(' ').unwrap_or(("POST", &text));
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH];
        let method = methods.into_iter().find(|known| known.as_str() == method);
        let Some(method) = method.filter(|_| path.starts_with('/') && !path.contains('#')) else {
            let rule = "must start with `/`, or with `GET`, `POST`, `PUT` or `PATCH`, a space and `/`";
            return Err(self.wrong("path", rule));
        };
        self.require_model(path, model)?;
        Ok((method, path.replace(MODEL, &encoded(model))))
    }

    /// The body, which has the message unless the path has it.
    fn body(
        &self,
        preset: Preset,
        model: &str,
        method: &Method,
        path: &str,
    ) -> Result<Option<BodyTemplate>, SettingError> {
        let (template, member) = (self.set("template")?, self.set("message_field")?);
        if method == Method::GET {
            if !path.contains(MESSAGE) {
                return Err(self.wrong("path", "must have a place for `{message}`, for `GET` has no body"));
            }
            return match template {
                Some(_) => Err(self.wrong("template", "must be empty, for `GET` has no body")),
                None => Ok(None),
            };
        }
        let template = template.as_deref().or(preset.template());
        let Some(template) = template else {
            return Ok(Some(BodyTemplate::of_member(member.as_deref().unwrap_or("message"))));
        };
        if member.is_some() {
            let rule = "must be empty with a template, and with a preset other than `plain`, which has one";
            return Err(self.wrong("message_field", rule));
        }
        self.require_model(template, model)?;
        BodyTemplate::parse(template, model).map(Some).ok_or_else(|| {
            let rule = "must be JSON in one line, with `{message}` in one of its texts, such as \
                        `{\"text\":\"{message}\"}`";
            self.wrong("template", rule)
        })
    }

    /// A JSON object of texts, in addition to those of the preset. Never repeated in an error: one may be a credential.
    fn headers(&self, preset: Preset) -> Result<HeaderMap, SettingError> {
        let mut headers = HeaderMap::new();
        for (name, value) in preset.headers() {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let Some(own) = self.set("headers")? else { return Ok(headers) };
        let rule = "must be a JSON object of header fields in one line, such as `{\"x-team\":\"blue\"}`, without those \
                    that the connection or the length of the body is made of";
        let wrong = || self.wrong("headers", rule);
        let Ok(Value::Object(own)) = serde_json::from_str(&own) else { return Err(wrong()) };
        for (name, value) in &own {
            let (Ok(name), Some(value)) = (HeaderName::from_str(name), value.as_str()) else {
                return Err(wrong());
            };
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            if NOT_TO_BE_SET.contains(&name) {
                return Err(wrong());
            }
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn key_place(&self, preset: Preset) -> Result<KeyPlace, SettingError> {
        let text = self.set("key_in")?.unwrap_or_else(|| preset.key_in().to_owned());
        let place = match text.split_once(':') {
            None if text == "bearer" => Some(KeyPlace::Bearer),
            Some(("header", name)) => HeaderName::from_str(name).ok().map(KeyPlace::Header),
            Some(("query", name)) if !name.is_empty() => Some(KeyPlace::Query(name.to_owned())),
            _ => None,
        };
        place.ok_or_else(|| {
            let rule = format!("must be `bearer`, `header:NAME` or `query:NAME`; it is `{text}`");
            self.wrong("key_in", rule)
        })
    }

    fn key(&self) -> Result<Option<String>, SettingError> {
        match self.set("key")? {
            Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(self.wrong("key", "must be printable ASCII without spaces"))
            }
            key => Ok(key),
        }
    }

    fn success(&self) -> Result<Success, SettingError> {
        let Some(statuses) = self.set("success")? else { return Ok(Success::Any) };
        let status = |text: &str| text.parse().ok().filter(|status| (200..300).contains(status));
        let statuses: Option<Vec<u16>> = statuses.split_whitespace().map(status).collect();
        statuses.map(Success::Only).ok_or_else(|| {
            self.wrong(
                "success",
                "must be statuses from 200 to 299, with spaces between them, such as `200 201`",
            )
        })
    }

    fn result_place(&self, preset: Preset) -> Result<ResultPlace, SettingError> {
        let text = self.set("response_pointer")?.unwrap_or_else(|| preset.response_pointer().to_owned());
        match text.as_str() {
            "text" => Ok(ResultPlace::WholeText),
            pointer if pointer.starts_with('/') => Ok(ResultPlace::Pointer(text)),
            _ => {
                let rule = "must be a JSON Pointer such as `/response`, or `text` for the whole body";
                Err(self.wrong("response_pointer", rule))
            }
        }
    }
}

/// What the platform makes of the request, and what Octo relies on.
const NOT_TO_BE_SET: [HeaderName; 7] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

fn is_origin(text: &str) -> bool {
    let Ok(origin) = text.parse::<Uri>() else { return false };
    matches!(origin.scheme_str(), Some("http" | "https"))
        && origin.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && origin.path() == "/"
        && origin.query().is_none()
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
