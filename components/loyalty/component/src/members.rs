//! Whose points a caller may see and spend.

use std::time::Duration;

use octo_access::Role;
use octo_core::{Clock, Problem, Sql, SqlError};
use octo_http::{App, Caller, Error};
use octo_loyalty::{Config, Member, events, members};
use uuid::Uuid;

use crate::{
    responses::no_such_member,
    worker::{catch_up, sql},
};

/// The number of the caller's account.
pub(crate) fn number(caller: &Caller) -> Result<i64, Problem> {
    caller.claims.user_id().ok_or_else(|| Problem::internal().because("a token without a number"))
}

pub(crate) fn is_administrator(caller: &Caller) -> bool {
    caller.claims.role == Role::Admin
}

/// Looks for a member whose event another request carries out at the moment, and the pause between two.
const LOOKS: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// By what a member is looked for.
enum Key {
    Account(i64),
    Uuid(String),
}

/// The member with this key. One whose account is new may not have been heard of; then the events that wait are carried out
/// first, or waited for while another request carries them out.
async fn find(app: &App, config: &Config, key: Key) -> Result<Option<Member>, Error> {
    let sql = sql(app);
    if let Some(member) = look(&sql, &key).await? {
        return Ok(Some(member));
    }
    for _ in 0..LOOKS {
        catch_up(app, config).await?;
        // Before the look: what does not wait any more has been done.
        let waiting = events::are_waiting(&sql).await?;
        let found = look(&sql, &key).await?;
        if found.is_some() || !waiting {
            return Ok(found);
        }
        app.clock.sleep(PAUSE).await;
    }
    Ok(None)
}

async fn look(sql: &impl Sql, key: &Key) -> Result<Option<Member>, SqlError> {
    match key {
        Key::Account(id) => members::by_id(sql, *id).await,
        Key::Uuid(uuid) => members::by_uuid(sql, uuid).await,
    }
}

/// The member whose account has this number.
pub(crate) async fn by_account(app: &App, config: &Config, id: i64) -> Result<Option<Member>, Error> {
    find(app, config, Key::Account(id)).await
}

/// The caller as a member.
pub(crate) async fn own(app: &App, config: &Config, caller: &Caller) -> Result<Member, Error> {
    Ok(by_account(app, config, number(caller)?).await?.ok_or_else(no_such_member)?)
}

/// The member whose account has this UUID, in any form of one.
pub(crate) async fn by_uuid(app: &App, config: &Config, uuid: Uuid) -> Result<Option<Member>, Error> {
    find(app, config, Key::Uuid(uuid.to_string())).await
}

/// The member with this UUID, if the caller may see it: the account's owner, or an administrator.
pub(crate) async fn visible(
    app: &App,
    config: &Config,
    caller: &Caller,
    uuid: &str,
) -> Result<Member, Error> {
    let uuid = Uuid::try_parse(uuid).map_err(|_| no_such_member())?;
    let member = by_uuid(app, config, uuid).await?;
    let own = number(caller)?;
    let visible = member.filter(|member| member.id == own || is_administrator(caller));
    Ok(visible.ok_or_else(no_such_member)?)
}
