//! Notifications are performed while their sender waits, after the response, or when the scheduler says so.

use std::{sync::Arc, time::Duration};

use octo_core::{Clock, Entropy, Sql, SqlError};
use octo_http::{App, drained::Drained};
use octo_subscriptions::{Config, Published, Refusal, Reply, Request, Subscriptions};

use crate::accounts::AccountsInAuth;

/// How long one request for it performs notifications.
const DRAINED_FOR: Duration = Duration::from_secs(5);

/// The domain over the ports of an app.
pub(crate) type AppSubscriptions<'a> =
    Subscriptions<'a, Arc<dyn Sql>, AccountsInAuth<'a>, Arc<dyn Clock>, Arc<dyn Entropy>>;

/// The domain over the ports of `app`.
pub(crate) fn subscriptions<'a>(
    app: &'a App,
    accounts: &'a AccountsInAuth<'a>,
    config: &Config,
) -> AppSubscriptions<'a> {
    Subscriptions::new(&app.sql, accounts, &app.clock, &app.entropy, config.legacy_rules)
}

/// Publishes a notification. When its sender does not wait for the reply any longer, it is performed after the response.
pub(crate) async fn publish(app: &App, config: &Config, request: &Request<'_>) -> Result<Published, Refusal> {
    let accounts = AccountsInAuth(app);
    let published = subscriptions(app, &accounts, config).publish(request).await?;
    if published.reply == Reply::Waiting {
        let (later, config) = (app.clone(), *config);
        app.after.run(async move {
            // A failure is noted with the job, and leaves it to the scheduler.
            let _left_to_scheduler = drain(&later, &config).await;
        });
    }
    Ok(published)
}

/// Performs notifications that are due, for some seconds.
pub(crate) async fn drain(app: &App, config: &Config) -> Result<Drained, SqlError> {
    let accounts = AccountsInAuth(app);
    let until = app.clock.now() + DRAINED_FOR;
    let drained = subscriptions(app, &accounts, config).drain(until).await?;
    Ok(Drained { performed: drained.performed, failed: drained.failed, more: drained.more })
}
