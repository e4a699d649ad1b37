//! Registering, logging in and logging out.

use askama::Template;
use axum::extract::State;
use http::StatusCode;
use octo_http::{App, Error, Response, query::Query};

use crate::{
    octo::{Octo, Refused, Tokens},
    page::{self, Field, Frame, Notice},
    visitor::{Submitted, Visitor, after_login},
};

/// Where somebody begins who is new.
const FIRST_PAGE: &str = "/console";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    fields: Vec<Field>,
    onward: &'a str,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    frame: &'a Frame,
    notice: Option<Notice>,
    fields: Vec<Field>,
}

/// The fields of a login, with what was typed and what is wrong with it.
pub(crate) fn login_fields(visitor: &Visitor, typed: &str, refused: Option<&Refused>) -> Vec<Field> {
    let t = visitor.language.texts();
    let mut fields = vec![
        Field::text("username", t.email_or_name, "username").filled(typed, refused, t),
        Field::password(t.password, "current-password").filled("", refused, t),
    ];
    // Which of the two is wrong is told to nobody.
    if let Some(refused) = refused.filter(|refused| refused.kind == "bad-credentials") {
        let text = t.problem(&refused.kind).unwrap_or(t.wrong);
        fields.iter_mut().for_each(|field| field.error = Some(text.to_owned()));
    }
    fields
}

/// The page for a login
#[utoipa::path(get, path = "/login", tag = "pages", operation_id = "showLogin", responses((status = 200)))]
pub(crate) async fn login_form(visitor: Visitor, query: Query) -> Response {
    login_page(&visitor, after_login(query.get("onward").unwrap_or("/")), "", None)
}

fn login_page(visitor: &Visitor, onward: &str, typed: &str, refused: Option<&Refused>) -> Response {
    let frame = Frame::of_stranger(visitor.language, "/login");
    let page = LoginPage {
        frame: &frame,
        notice: refused.map(|refused| Notice::of(refused, visitor.language)),
        fields: login_fields(visitor, typed, refused),
        onward,
    };
    page::html(refused.map_or(StatusCode::OK, page::status_of), &page)
}

/// Log in by the page
#[utoipa::path(post, path = "/login", tag = "pages", operation_id = "sendLogin", responses((status = 303)))]
pub(crate) async fn log_in(State(app): State<App>, visitor: Visitor, form: Submitted) -> Response {
    let onward = after_login(form.get("onward"));
    let username = form.get("username").trim();
    match Octo::of(&app, &visitor).log_in(username, form.get("password")).await {
        Ok(tokens) => page::logged_in(page::see_other(onward), &tokens, &visitor),
        Err(refused) => login_page(&visitor, onward, username, Some(&refused)),
    }
}

/// The page for a registration
#[utoipa::path(get, path = "/register", tag = "pages", operation_id = "showRegistration", responses((status = 200)))]
pub(crate) async fn register_form(visitor: Visitor) -> Response {
    register_page(&visitor, "", None)
}

fn register_page(visitor: &Visitor, typed: &str, refused: Option<&Refused>) -> Response {
    let t = visitor.language.texts();
    let mut email = Field::text("email", t.email, "email").filled(typed, refused, t);
    if let Some(refused) = refused.filter(|refused| refused.kind == "account-exists") {
        email.error = t.problem(&refused.kind).map(str::to_owned);
    }
    let password = Field { hint: Some(t.password_hint), ..Field::password(t.password, "new-password") };
    let frame = Frame::of_stranger(visitor.language, "/register");
    let page = RegisterPage {
        frame: &frame,
        notice: refused.map(|refused| Notice::of(refused, visitor.language)),
        fields: vec![email, password.filled("", refused, t)],
    };
    page::html(refused.map_or(StatusCode::OK, page::status_of), &page)
}

/// Register by the page
///
/// Who registers is logged in, too. A form that was sent twice makes one account and logs in twice.
#[utoipa::path(post, path = "/register", tag = "pages", operation_id = "sendRegistration", responses((status = 303)))]
pub(crate) async fn register(State(app): State<App>, visitor: Visitor, form: Submitted) -> Response {
    let (email, password) = (form.get("email").trim(), form.get("password"));
    match register_and_log_in(&Octo::of(&app, &visitor), email, password).await {
        Ok(tokens) => page::logged_in(page::see_other(FIRST_PAGE), &tokens, &visitor),
        Err(refused) => register_page(&visitor, email, Some(&refused)),
    }
}

async fn register_and_log_in(octo: &Octo<'_>, email: &str, password: &str) -> Result<Tokens, Refused> {
    match octo.register(email, password).await {
        Ok(()) => octo.log_in(email, password).await,
        // Perhaps by this very form, sent before.
        Err(taken) if taken.kind == "account-exists" => octo.log_in(email, password).await.map_err(|_| taken),
        Err(refused) => Err(refused),
    }
}

/// Log out by the page
#[utoipa::path(post, path = "/logout", tag = "pages", operation_id = "sendLogout", responses((status = 303)))]
pub(crate) async fn log_out(State(app): State<App>, visitor: Visitor) -> Result<Response, Error> {
    let octo = Octo::of(&app, &visitor);
    if octo.token.is_some()
        && let Err(refused) = octo.log_out().await
        && !refused.is_logged_out()
    {
        return Ok(octo.refused("/", &refused));
    }
    Ok(page::logged_out(page::see_other("/"), &visitor))
}
