//! Whose points a caller may see and spend.

use octo_access::Role;
use octo_core::Problem;
use octo_http::{App, Caller, Error};
use octo_loyalty::{Config, Member, members};
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

/// The member whose account has this number. One whose account is new may not have been heard of; then the events that
/// wait are carried out first.
pub(crate) async fn by_account(app: &App, config: &Config, id: i64) -> Result<Option<Member>, Error> {
    let sql = sql(app);
    if let Some(member) = members::by_id(&sql, id).await? {
        return Ok(Some(member));
    }
    catch_up(app, config).await?;
    Ok(members::by_id(&sql, id).await?)
}

/// The caller as a member.
pub(crate) async fn own(app: &App, config: &Config, caller: &Caller) -> Result<Member, Error> {
    Ok(by_account(app, config, number(caller)?).await?.ok_or_else(no_such_member)?)
}

/// The member whose account has this UUID, in any form of one.
pub(crate) async fn by_uuid(app: &App, config: &Config, uuid: Uuid) -> Result<Option<Member>, Error> {
    let (sql, uuid) = (sql(app), uuid.to_string());
    if let Some(member) = members::by_uuid(&sql, &uuid).await? {
        return Ok(Some(member));
    }
    catch_up(app, config).await?;
    Ok(members::by_uuid(&sql, &uuid).await?)
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
