//! How many parcels a client may register in a day: each leaves rows that stay.

use octo_core::{Sql, SqlError};

use crate::MoscowDay;

/// Rows removed at a time.
const SWEPT: i64 = 200;

/// A client's day never goes back, whatever the clocks of instances say.
pub(crate) const TAKE: &str = "INSERT INTO parcel_quotas (client, day, number) VALUES ($1, $2, 1)
    ON CONFLICT (client) DO UPDATE SET
        number = CASE WHEN parcel_quotas.day < $2 THEN 1 ELSE parcel_quotas.number + 1 END,
        day = CASE WHEN parcel_quotas.day < $2 THEN $2 ELSE parcel_quotas.day END
    WHERE parcel_quotas.day < $2 OR parcel_quotas.number < $3 RETURNING number";

pub(crate) const SWEEP: &str = "DELETE FROM parcel_quotas WHERE client IN (
    SELECT client FROM parcel_quotas WHERE day < $1 ORDER BY day LIMIT $2) RETURNING client";

/// Counts a parcel that a client registers on `today`, of which there may be `most`; whether it may be.
///
/// # Errors
/// Those of the database.
pub async fn take(sql: &impl Sql, client: &str, today: MoscowDay, most: i64) -> Result<bool, SqlError> {
    Ok(!sql.query(TAKE, &[client.into(), today.0.into(), most.into()]).await?.is_empty())
}

/// Removes some rows of days before yesterday; whether there may be more.
///
/// # Errors
/// Those of the database.
pub async fn sweep(sql: &impl Sql, today: MoscowDay) -> Result<bool, SqlError> {
    let swept = sql.query(SWEEP, &[(today.0 - 1).into(), SWEPT.into()]).await?;
    Ok(swept.len() as i64 == SWEPT)
}
