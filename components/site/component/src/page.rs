//! A page: its frame, its forms' fields, and the header fields that every page has.

use askama::Template;
use http::{HeaderName, HeaderValue, StatusCode, header};
use octo_core::Problem;
use octo_http::{App, Response, cookie, exchange::LogFields, respond};

use crate::{
    assets::{ICON, SCRIPT, STYLE},
    language::{self, Language, Texts},
    octo::{Account, Octo, Refused, Tokens},
    visitor::{Visitor, after_login},
};

/// Nothing but what this application serves itself, and nothing that stands in a page: no script, no style. No other site
/// shows a page in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A year, in seconds.
const YEAR: u64 = 365 * 24 * 3600;

/// What all pages have around what they say.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) language: Language,
    /// What the visitor is called, if they are logged in.
    pub(crate) name: Option<String>,
    /// Where the page is, which is also where a change of the language leads back to.
    pub(crate) path: String,
    /// Where the page for a login leads to.
    pub(crate) onward: String,
}

impl Frame {
    /// The frame of a page for somebody who is not logged in.
    pub(crate) fn of_stranger(language: Language, path: &str) -> Self {
        Self { language, name: None, path: path.to_owned(), onward: after_login(path).to_owned() }
    }

    pub(crate) fn of(visitor: &Visitor, account: Option<&Account>, path: &str) -> Self {
        let name = account.map(|account| account.name().to_owned());
        Self { name, ..Self::of_stranger(visitor.language, path) }
    }

    pub(crate) fn t(&self) -> &'static Texts {
        self.language.texts()
    }

    // Templates cannot reach the statics.
    pub(crate) fn style(&self) -> String {
        STYLE.path()
    }

    pub(crate) fn script(&self) -> String {
        SCRIPT.path()
    }

    pub(crate) fn icon(&self) -> String {
        ICON.path()
    }

    pub(crate) fn languages(&self) -> [Language; 2] {
        Language::ALL
    }
}

/// A field of a form.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) autocomplete: &'static str,
    /// What was typed. Never a password.
    pub(crate) value: String,
    pub(crate) hint: Option<&'static str>,
    /// The rule it breaks.
    pub(crate) error: Option<String>,
}

impl Field {
    /// The ids of what describes it.
    pub(crate) fn described_by(&self) -> String {
        let error = self.error.as_ref().map(|_| format!("{}-error", self.name));
        let hint = self.hint.map(|_| format!("{}-hint", self.name));
        error.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn text(name: &'static str, label: &'static str, autocomplete: &'static str) -> Self {
        Self { name, label, kind: "text", autocomplete, value: String::new(), hint: None, error: None }
    }

    pub(crate) fn password(label: &'static str, autocomplete: &'static str) -> Self {
        Self { kind: "password", ..Self::text("password", label, autocomplete) }
    }

    /// With what was typed, and what the API says of it.
    pub(crate) fn filled(mut self, value: &str, refused: Option<&Refused>, t: &Texts) -> Self {
        if self.kind != "password" {
            self.value = value.to_owned();
        }
        self.error = refused.and_then(|refused| error_of(refused, self.name, t));
        self
    }
}

/// What the API says of a field.
pub(crate) fn error_of(refused: &Refused, name: &str, t: &Texts) -> Option<String> {
    let wrong = refused.errors.iter().find(|error| error.is(name));
    wrong.map(|error| t.rule(&error.rule).to_owned())
}

/// What is said of a failure above a form, or on a page of its own.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Notice {
    pub(crate) fn of(refused: &Refused, language: Language) -> Self {
        let t = language.texts();
        let own = if refused.errors.is_empty() { t.problem(&refused.kind) } else { Some(t.check_fields) };
        let text = match own {
            Some(text) => text.to_owned(),
            None if refused.detail.is_empty() => t.wrong.to_owned(),
            None => refused.detail.clone(),
        };
        let seconds = refused.retry_after.and_then(|seconds| i64::try_from(seconds).ok());
        Self {
            text,
            retry_after: seconds.map(|seconds| language.number(seconds)),
            request_id: refused.request_id.clone().filter(|_| refused.status.is_server_error()),
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: &'a Frame,
    notice: Notice,
}

/// The page for what did not work, where there is no form to show it at.
pub(crate) fn problem(frame: &Frame, refused: &Refused) -> Response {
    let page = ProblemPage { frame, notice: Notice::of(refused, frame.language) };
    let mut response = html(status_of(refused), &page);
    response.extensions_mut().insert(LogFields::default().with("problem", refused.kind.as_str()));
    response
}

/// The status of a page that shows this. A page never asks for a credential in a header field, as a 401 does.
pub(crate) fn status_of(refused: &Refused) -> StatusCode {
    match refused.status {
        StatusCode::UNAUTHORIZED | StatusCode::CONFLICT => StatusCode::UNPROCESSABLE_ENTITY,
        status => status,
    }
}

/// A page.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => protected(respond::with_body(status, "text/html; charset=utf-8", text.into_bytes())),
        Err(error) => respond::problem(&Problem::internal().because(error)),
    }
}

/// Goes on to another page, which is got anew: to load it again sends no form again.
pub(crate) fn see_other(path: &str) -> Response {
    let mut response = respond::empty(StatusCode::SEE_OTHER);
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    protected(response)
}

/// To the page for a login, which leads back.
pub(crate) fn to_login(path: &str) -> Response {
    see_other(&format!("/login?onward={path}"))
}

fn protected(mut response: Response) -> Response {
    let fields: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept, accept-language, cookie"),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The response, after which the browser is logged in, as after a login by the API.
pub(crate) fn logged_in(mut response: Response, tokens: &Tokens, visitor: &Visitor) -> Response {
    if let Some(cookie) = cookie::session(&tokens.access_token, tokens.expires_in, visitor.is_secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The response, after which the browser is logged out.
pub(crate) fn logged_out(mut response: Response, visitor: &Visitor) -> Response {
    if let Some(cookie) = cookie::session("", 0, visitor.is_secure) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The response, after which pages are in this language.
pub(crate) fn in_language(mut response: Response, chosen: Language, visitor: &Visitor) -> Response {
    let secure = if visitor.is_secure { "; Secure" } else { "" };
    let text = format!(
        "{}={}; HttpOnly; Max-Age={YEAR}; Path=/; SameSite=lax{secure}",
        language::COOKIE,
        chosen.code()
    );
    if let Ok(cookie) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl<'a> Octo<'a> {
    /// The API for this visitor.
    pub(crate) fn of(app: &'a App, visitor: &'a Visitor) -> Self {
        Self { app, visitor, token: visitor.token.as_deref() }
    }

    /// The visitor's account, or the page for those who have none or whose session is over.
    pub(crate) async fn member(&self, path: &str) -> Result<Account, Response> {
        if self.token.is_none() {
            return Err(to_login(path));
        }
        self.account().await.map_err(|refused| self.refused(path, &refused))
    }

    /// The page for what the API refused.
    pub(crate) fn refused(&self, path: &str, refused: &Refused) -> Response {
        if refused.is_logged_out() {
            return to_login(path);
        }
        problem(&Frame::of_stranger(self.visitor.language, path), refused)
    }
}
