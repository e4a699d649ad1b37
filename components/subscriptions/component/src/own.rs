//! Our own routes, each readable in one breath: who, what, do, answer.

use http::StatusCode;
use octo_core::{Clock, Entropy, HttpOut, KeyValue, Problem, Settings, Sql};
use octo_http::{
    Caller, Request, Response,
    body::Fields,
    idempotency::{IdempotencyKey, Scope},
    prefer,
    query::Query,
};
use octo_subscriptions::{Authority, Event, Notification, Page, register::LONGEST_PAGE};

use crate::{
    answers::{self, refused},
    routes::{Service, subscription_id},
};

impl<S: Settings, D: Sql, K: KeyValue, H: HttpOut, C: Clock, E: Entropy> Service<S, D, K, H, C, E> {
    /// `POST /subscriptions`: for `user_id`, or for oneself.
    pub(crate) async fn purchase(&self, request: Request) -> Result<Response, Problem> {
        let (caller, authority) = self.caller(&request).await?;
        let asked = Asked::of(&request, caller, authority, "POST /subscriptions")?;
        let mut fields = Fields::read_optional(request)?;
        let user_id = fields.maybe_whole_number("user_id");
        let user_id = fields.finish(user_id)?.or(asked.caller.claims.user_id());
        let user_id = user_id.ok_or_else(|| Problem::invalid("/user_id", "is required"))?;
        self.publish(asked, Notification::Purchased { user_id }).await
    }

    /// `POST /subscriptions/{id}/cancel` and `POST /subscriptions/{id}/restart`
    pub(crate) async fn change(&self, request: Request, id: &str, event: Event) -> Result<Response, Problem> {
        let (caller, authority) = self.caller(&request).await?;
        let asked = Asked::of(&request, caller, authority, event.name())?;
        let subscription_id = subscription_id(id)?;
        self.publish(
            asked,
            match event {
                Event::Canceled => Notification::Canceled { subscription_id },
                _ => Notification::Restarted { subscription_id },
            },
        )
        .await
    }

    async fn publish(&self, asked: Asked, notification: Notification) -> Result<Response, Problem> {
        let (config, accounts) = (self.config()?, self.accounts());
        let request = octo_subscriptions::Request {
            authority: asked.authority,
            notification,
            key: asked.key.as_deref(),
            wait: asked.wait.unwrap_or(config.reply_wait),
        };
        let published = self.subscriptions(&accounts, &config).publish(&request).await.map_err(refused)?;
        self.leave(&published.reply);
        let mut response = answers::published(notification, &published)?;
        if let Some(applied) = asked.wait.and_then(prefer::applied) {
            response.headers_mut().insert(prefer::PREFERENCE_APPLIED, applied);
        }
        Ok(response)
    }

    /// `GET /subscriptions/replies/{correlation_id}`
    pub(crate) async fn reply(&self, request: Request, correlation_id: &str) -> Result<Response, Problem> {
        let (_, authority) = self.caller(&request).await?;
        let accounts = self.accounts();
        let subscriptions = self.subscriptions(&accounts, &self.config()?);
        let reply = subscriptions.reply(authority, correlation_id).await.map_err(refused)?;
        Ok(answers::reply(StatusCode::OK, correlation_id, &reply))
    }

    /// `GET /subscriptions/{id}`
    pub(crate) async fn subscription(&self, request: Request, id: &str) -> Result<Response, Problem> {
        let (_, authority) = self.caller(&request).await?;
        let (id, accounts) = (subscription_id(id)?, self.accounts());
        let subscriptions = self.subscriptions(&accounts, &self.config()?);
        let subscription = subscriptions.subscription(authority, id).await.map_err(refused)?;
        Ok(answers::subscription(StatusCode::OK, &subscription))
    }

    /// `GET /subscriptions`: from the one `after` on, `limit` of them; with `user_id` that user's. `next` is the
    /// `after` of the page that follows.
    pub(crate) async fn list(&self, request: Request) -> Result<Response, Problem> {
        let (_, authority) = self.caller(&request).await?;
        let query = Query::of(&request);
        let (user_id, page) = (query.number("user_id")?, page(&query)?);
        let accounts = self.accounts();
        let subscriptions = self.subscriptions(&accounts, &self.config()?);
        let list = subscriptions.list(authority, user_id, page).await.map_err(refused)?;
        Ok(answers::list(&list, page))
    }

    /// `GET /subscriptions/{id}/history`: what changed it, oldest first, in pages as above.
    pub(crate) async fn history(&self, request: Request, id: &str) -> Result<Response, Problem> {
        let (_, authority) = self.caller(&request).await?;
        let (id, page) = (subscription_id(id)?, page(&Query::of(&request))?);
        let accounts = self.accounts();
        let subscriptions = self.subscriptions(&accounts, &self.config()?);
        let history = subscriptions.history(authority, id, page).await.map_err(refused)?;
        Ok(answers::history(&history, page))
    }
}

/// A request for a notification, without the notification.
struct Asked {
    caller: Caller,
    authority: Authority,
    key: Option<String>,
    wait: Option<std::time::Duration>,
}

impl Asked {
    fn of(request: &Request, caller: Caller, authority: Authority, route: &str) -> Result<Self, Problem> {
        let scope = Scope { caller: &caller.claims.sub, route };
        let key = IdempotencyKey::read(request.headers())?.map(|key| key.scoped(scope));
        let wait = prefer::wait(request.headers());
        Ok(Self { caller, authority, key, wait })
    }
}

fn page(query: &Query) -> Result<Page, Problem> {
    Ok(Page { after: query.after()?, limit: query.limit(LONGEST_PAGE)? })
}
