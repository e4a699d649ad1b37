//! Buying a subscription, canceling and restarting it, and seeing what happened to it.

use askama::Template;
use axum::extract::{Path, State};
use futures::future::join;
use http::StatusCode;
use octo_core::new_id;
use octo_http::{App, Error, Response, path, query::Query, respond};

use crate::{
    console::own_key,
    octo::{Changed, Event, Octo, Subscription},
    page::{self, Frame},
    visitor::{Submitted, Visitor},
};

const PATH: &str = "/subscription";
/// Where a change leads to that is not done yet.
const WAITING: &str = "/subscription?waiting=1";

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct SubscriptionsPage<'a> {
    frame: &'a Frame,
    is_waiting: bool,
    has_paid_access: bool,
    subscriptions: Vec<Subscription>,
    next: Option<String>,
    key: String,
}

#[derive(Template)]
#[template(path = "subscription.html")]
struct SubscriptionPage<'a> {
    frame: &'a Frame,
    subscription: Subscription,
    events: Vec<Event>,
    key: String,
}

/// The page for one's subscriptions
#[utoipa::path(
    get, path = "/subscription", tag = "pages", operation_id = "showSubscriptions",
    responses((status = 200), (status = 303))
)]
pub(crate) async fn list(State(app): State<App>, visitor: Visitor, query: Query) -> Result<Response, Error> {
    let octo = Octo::of(&app, &visitor);
    let account = octo.member(PATH).await?;
    let list = octo.subscriptions(account.id, query.get("after")).await;
    let list = list.map_err(|refused| octo.refused(PATH, &refused))?;
    let page = SubscriptionsPage {
        frame: &Frame::of(&visitor, Some(&account), PATH),
        is_waiting: query.get("waiting").is_some(),
        has_paid_access: account.paid_access,
        subscriptions: list.items,
        next: list.next,
        key: new_id(&app.clock, &app.entropy),
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// The page for a subscription
#[utoipa::path(
    get, path = "/subscription/{id}", tag = "pages", operation_id = "showSubscription",
    params(("id" = i64, Path)), responses((status = 200), (status = 303), (status = 404))
)]
pub(crate) async fn subscription(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = number(&id)?;
    let octo = Octo::of(&app, &visitor);
    let path = format!("{PATH}/{id}");
    let account = octo.member(&path).await?;
    let (subscription, history) = join(octo.subscription(id), octo.history(id)).await;
    let refused = |refused| octo.refused(&path, &refused);
    let page = SubscriptionPage {
        frame: &Frame::of(&visitor, Some(&account), &path),
        subscription: subscription.map_err(refused)?,
        events: history.map_err(refused)?.items,
        key: new_id(&app.clock, &app.entropy),
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// Buy a subscription by the page
#[utoipa::path(post, path = "/subscription", tag = "pages", operation_id = "sendPurchase", responses((status = 303)))]
pub(crate) async fn buy(State(app): State<App>, visitor: Visitor, form: Submitted) -> Response {
    change(&app, &visitor, "/subscriptions", &form).await
}

/// Cancel a subscription by the page
#[utoipa::path(
    post, path = "/subscription/{id}/cancel", tag = "pages", operation_id = "sendCancel",
    params(("id" = i64, Path)), responses((status = 303), (status = 404))
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Submitted,
) -> Result<Response, Error> {
    Ok(change(&app, &visitor, &format!("/subscriptions/{}/cancel", number(&id)?), &form).await)
}

/// Restart a subscription by the page
#[utoipa::path(
    post, path = "/subscription/{id}/restart", tag = "pages", operation_id = "sendRestart",
    params(("id" = i64, Path)), responses((status = 303), (status = 404))
)]
pub(crate) async fn restart(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Submitted,
) -> Result<Response, Error> {
    Ok(change(&app, &visitor, &format!("/subscriptions/{}/restart", number(&id)?), &form).await)
}

/// Has the API change something, and goes to what it has become. The form's key makes a second sending harmless.
async fn change(app: &App, visitor: &Visitor, path: &str, form: &Submitted) -> Response {
    let octo = Octo::of(app, visitor);
    if octo.token.is_none() {
        return page::to_login(PATH);
    }
    let key = own_key(form.get("key")).map_or_else(|| new_id(&app.clock, &app.entropy), str::to_owned);
    match octo.change(path, &key).await {
        Ok(Changed::Done(subscription)) => page::see_other(&format!("{PATH}/{}", subscription.id)),
        Ok(Changed::Waiting) => page::see_other(WAITING),
        Err(refused) => octo.refused(PATH, &refused),
    }
}

fn number(text: &str) -> Result<i64, Error> {
    Ok(path::id(text).ok_or_else(respond::not_found)?)
}
