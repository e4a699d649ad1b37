//! Who looks at a page, and how they came.

use axum::extract::{FromRequest, FromRequestParts};
use http::{HeaderMap, StatusCode, header, request::Parts};
use octo_http::{App, Error, cookie, extract::Whole, form::Form, platform, same_site, source};

use crate::{
    language::Language,
    octo::Refused,
    page::{self, Frame},
};

/// A person with a browser.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) language: Language,
    /// The access token in the session cookie; nobody has looked whether it is good.
    pub(crate) token: Option<String>,
    /// Where this application is, as the browser has reached it: `https://octo.example`.
    pub(crate) origin: String,
    /// Whether the browser speaks TLS.
    pub(crate) is_secure: bool,
    /// What the browser says it is.
    pub(crate) browser: String,
    /// The network addresses that the request came from, as a proxy would pass them on.
    pub(crate) forwarded: String,
}

impl Visitor {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let token = cookie::read(headers, cookie::SESSION).filter(|token| !token.is_empty());
        Self {
            language: Language::of(headers),
            token: token.map(str::to_owned),
            origin: origin(headers),
            is_secure: platform::is_https(headers),
            browser: text(header::USER_AGENT).to_owned(),
            forwarded: source::relayed(headers),
        }
    }
}

/// Where this application is, as the client has reached it.
pub(crate) fn origin(headers: &HeaderMap) -> String {
    let scheme = if platform::is_https(headers) { "https" } else { "http" };
    let authority =
        platform::full_url(headers).and_then(|url| url.split("//").nth(1)?.split(['/', '?']).next());
    format!("{scheme}://{}", authority.unwrap_or("127.0.0.1:3000"))
}

/// Every form is kept from the pages of other sites here: they get 403, and nothing is done.
impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        let visitor = Self::of(&parts.headers);
        if same_site::is_forged(&parts.method, &parts.headers) {
            let frame = Frame::of_stranger(visitor.language, "/");
            let refused = Refused::new(StatusCode::FORBIDDEN, "another-site");
            return Err(Error::response(page::problem(&frame, &refused)));
        }
        Ok(visitor)
    }
}

/// What a visitor has typed into a form. A body that is none has no fields, so each of them is found to be missing.
#[derive(Debug)]
pub(crate) struct Submitted(Form);

impl Submitted {
    /// A field as it was typed.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or("")
    }

    /// Whether the form had this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }
}

impl FromRequest<App> for Submitted {
    type Rejection = Error;

    async fn from_request(request: axum::extract::Request, app: &App) -> Result<Self, Error> {
        let Whole(request) = Whole::from_request(request, app).await?;
        Ok(Self(Form::read(request)?))
    }
}

/// A path of this site to go on to, from a form or a query: nobody is sent elsewhere.
pub(crate) fn onward(text: &str) -> Option<&str> {
    let known = matches!(text, "/" | "/console" | "/subscription" | "/login" | "/register")
        || text.strip_prefix("/subscription/").is_some_and(is_number);
    known.then_some(text)
}

/// The page that a login leads to which was asked for at this path: where that is no page for members, the one for messages.
pub(crate) fn after_login(path: &str) -> &str {
    onward(path).filter(|path| !matches!(*path, "/" | "/login" | "/register")).unwrap_or("/console")
}

fn is_number(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site_or_to_a_page_that_there_is_not() {
        for path in ["/", "/console", "/subscription", "/subscription/12"] {
            assert_eq!(onward(path), Some(path));
        }
        for path in [
            "",
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "/subscription/",
            "/subscription/1/x",
            "/logout",
        ] {
            assert_eq!(onward(path), None, "{path}");
        }
    }
}
