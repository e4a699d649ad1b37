//! Sending a message, and seeing who processed it and why.

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use octo_core::new_id;
use octo_http::{App, Error, Response};
use serde_json::json;

use crate::{
    accounts::login_fields,
    live::Live,
    octo::{Octo, Processed, Refused, Tokens},
    page::{self, Field, Frame, Notice},
    visitor::{Submitted, Visitor},
};

const PATH: &str = "/console";
/// Longest idempotency key that is taken from a form; ours have 36 characters.
const MAX_KEY: usize = 64;
/// Longest message that the call by curl shows, in bytes.
const MAX_IN_CURL: usize = 1000;

#[derive(Template)]
#[template(path = "console.html")]
struct ConsolePage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    /// Whether a subscription would help.
    buy: bool,
    result: Option<Shown>,
    /// Those of a login, where the session has ended.
    login: Vec<Field>,
    message: &'a str,
    message_error: Option<String>,
    key: String,
    live: Option<Live>,
}

/// What became of a message.
struct Shown {
    processed: Processed,
    curl: String,
}

/// The page for messages
#[utoipa::path(get, path = "/console", tag = "pages", operation_id = "showConsole", responses((status = 200), (status = 303)))]
pub(crate) async fn console(State(app): State<App>, visitor: Visitor) -> Result<Response, Error> {
    let octo = Octo::of(&app, &visitor);
    let account = octo.member(PATH).await?;
    let page = ConsolePage {
        frame: &Frame::of(&visitor, Some(&account), PATH),
        notice: None,
        buy: false,
        result: None,
        login: Vec::new(),
        message: "",
        message_error: None,
        key: new_id(&app.clock, &app.entropy),
        live: Live::now(&octo).await,
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// Send a message by the page
///
/// The form has an idempotency key: sent twice, it has one message processed, and both times the same result. Where the session
/// has ended meanwhile, the form comes back with what was typed and the fields of a login.
#[utoipa::path(post, path = "/console", tag = "pages", operation_id = "sendConsole", responses((status = 200)))]
pub(crate) async fn send(State(app): State<App>, visitor: Visitor, form: Submitted) -> Response {
    let new_key = || new_id(&app.clock, &app.entropy);
    // Browsers write the end of a line as two characters.
    let message = form.get("message").replace("\r\n", "\n");
    let key = own_key(form.get("key")).map_or_else(new_key, str::to_owned);
    let octo = Octo::of(&app, &visitor);

    let tokens = match log_in(&octo, &form).await {
        Ok(tokens) => tokens,
        Err(refused) => return again(&visitor, &message, key, form.get("username"), &refused),
    };
    let token = tokens.as_ref().map(|tokens| tokens.access_token.as_str()).or(octo.token);
    let octo = Octo { token, ..octo };
    let sent = match token {
        Some(_) => octo.send(&message, &key).await,
        None => Err(Refused::new(StatusCode::UNAUTHORIZED, "unauthorized")),
    };
    let response = match sent {
        Err(refused) if refused.is_logged_out() => again(&visitor, &message, key, "", &refused),
        Ok(processed) => {
            let curl = curl(&visitor.origin, &message, &key);
            show(&octo, Ok(Shown { processed, curl }), "", new_key()).await
        }
        Err(refused) => {
            let key = if needs_new_key(&refused) { new_key() } else { key };
            show(&octo, Err(&refused), &message, key).await
        }
    };
    match tokens {
        Some(tokens) => page::logged_in(response, &tokens, &visitor),
        None => response,
    }
}

/// The login that the form has where the session had ended.
async fn log_in(octo: &Octo<'_>, form: &Submitted) -> Result<Option<Tokens>, Refused> {
    if !form.has("username") {
        return Ok(None);
    }
    octo.log_in(form.get("username").trim(), form.get("password")).await.map(Some)
}

/// The form as it was, with the fields of a login. There is no session whose message it could be: nothing was sent.
fn again(visitor: &Visitor, message: &str, key: String, username: &str, refused: &Refused) -> Response {
    let t = visitor.language.texts();
    let notice = match refused.is_logged_out() {
        true => Notice { text: t.session_ended.to_owned(), retry_after: None, request_id: None },
        false => Notice::of(refused, visitor.language),
    };
    let page = ConsolePage {
        frame: &Frame::of_stranger(visitor.language, PATH),
        notice: Some(notice),
        buy: false,
        result: None,
        login: login_fields(visitor, username, Some(refused)),
        message,
        message_error: None,
        key,
        live: None,
    };
    page::html(page::status_of(refused), &page)
}

async fn show(octo: &Octo<'_>, sent: Result<Shown, &Refused>, message: &str, key: String) -> Response {
    let (visitor, refused) = (octo.visitor, sent.as_ref().err().copied());
    let (account, live) = futures::future::join(octo.account(), Live::now(octo)).await;
    let account = account.ok();
    let has_paid_access = account.as_ref().is_some_and(|account| account.paid_access);
    let page = ConsolePage {
        frame: &Frame::of(visitor, account.as_ref(), PATH),
        notice: refused.map(|refused| Notice::of(refused, visitor.language)),
        buy: refused.is_some_and(|refused| refused.status == StatusCode::TOO_MANY_REQUESTS)
            && !has_paid_access,
        message_error: refused
            .and_then(|refused| page::error_of(refused, "message", visitor.language.texts())),
        result: sent.ok(),
        login: Vec::new(),
        message,
        key,
        live,
    };
    page::html(refused.map_or(StatusCode::OK, page::status_of), &page)
}

/// A key of a form of ours, which is safe in a header field.
pub(crate) fn own_key(text: &str) -> Option<&str> {
    let fits = (1..=MAX_KEY).contains(&text.len());
    (fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')).then_some(text)
}

/// Whether the same form could only have the same answer for ever, although another attempt may make sense. Without an answer
/// the message may have been processed: then the key finds out.
fn needs_new_key(refused: &Refused) -> bool {
    let kinds = ["idempotency-key-reused", "idempotency-outcome-unknown"];
    refused.is_answered && refused.status.is_server_error() || kinds.contains(&refused.kind.as_str())
}

/// The call of the API that sends this message.
fn curl(origin: &str, message: &str, key: &str) -> String {
    let body = json!({ "message": message }).to_string();
    let body = if body.len() > MAX_IN_CURL { "@message.json".to_owned() } else { quoted(&body) };
    format!(
        "curl {origin}/messages \\\n  -H \"authorization: Bearer $TOKEN\" \\\n  -H 'content-type: application/json' \\\n  \
         -H 'idempotency-key: {key}' \\\n  -d {body}"
    )
}

/// One word to a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_the_call_by_curl_is_one_word_to_the_shell() {
        let call = curl("http://o", "it's $(rm) `x` \"y\"\n", "k");
        assert!(call.ends_with(r#"-d '{"message":"it'\''s $(rm) `x` \"y\"\n"}'"#), "{call}");
        assert!(curl("http://o", &"x".repeat(2000), "k").ends_with("-d @message.json"));
    }

    #[test]
    fn only_what_a_form_of_ours_has_is_a_key() {
        for (text, is_key) in [("a-1", true), ("", false), ("a\"b", false), ("a b", false), ("ж", false)] {
            assert_eq!(own_key(text).is_some(), is_key, "{text}");
        }
        assert_eq!(own_key(&"a".repeat(65)), None);
    }
}
