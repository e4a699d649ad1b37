//! What the prices of a day come to, for each type. The sums are kept as parcels are priced, so that reading a day costs
//! the same on the first day and on the thousandth.

use octo_core::{
    Sql, SqlError,
    sql::{FromRow, Row},
};

use crate::MoscowDay;

/// Most days in one answer.
pub const MAX_DAYS: i64 = 366;

/// The prices of one type on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The day.
    pub day: MoscowDay,
    /// The type's number.
    pub type_id: i64,
    /// And its name.
    pub type_name: String,
    /// How many parcels were priced.
    pub number: i64,
    /// What they cost together, in kopecks.
    pub total: i64,
}

impl FromRow for Sum {
    fn from_row(mut row: Row) -> Option<Self> {
        Some(Sum {
            day: MoscowDay(row.take("day")?),
            type_id: row.take("type_id")?,
            type_name: row.take("type_name")?,
            number: row.take("number")?,
            total: row.take("total")?,
        })
    }
}

pub(crate) const KEPT: &str = "SELECT s.day, s.type_id, t.name AS type_name, s.number, s.total
    FROM parcel_sums s JOIN parcel_types t ON t.id = s.type_id
    WHERE s.day >= $1 AND s.day <= $2 ORDER BY s.day, s.type_id";

pub(crate) const FROM_LOG: &str = "SELECT p.day, p.type_id, t.name AS type_name, COUNT(*) AS number,
        CAST(SUM(p.cost) AS BIGINT) AS total
    FROM parcel_prices p JOIN parcel_types t ON t.id = p.type_id
    WHERE p.day = $1 GROUP BY p.day, p.type_id, t.name ORDER BY p.day, p.type_id";

pub(crate) const REBUILD: &str = "INSERT INTO parcel_sums (day, type_id, number, total)
    SELECT day, type_id, COUNT(*), CAST(SUM(cost) AS BIGINT) FROM parcel_prices WHERE day = $1
    GROUP BY day, type_id
    ON CONFLICT (day, type_id) DO UPDATE SET number = excluded.number, total = excluded.total
    WHERE parcel_sums.number <> excluded.number OR parcel_sums.total <> excluded.total
    RETURNING type_id";

/// How many prices were found out on all days: it goes through the sums of each day, which are few.
///
/// # Errors
/// Those of the database.
pub async fn number_in_all(sql: &impl Sql) -> Result<i64, SqlError> {
    let statement = "SELECT COALESCE(CAST(SUM(number) AS BIGINT), 0) FROM parcel_sums";
    Ok(sql.first::<(i64,)>(statement, &[]).await?.map_or(0, |(number,)| number))
}

/// The sums of the days from `first` to `last`.
///
/// # Errors
/// Those of the database.
pub async fn of_days(sql: &impl Sql, first: MoscowDay, last: MoscowDay) -> Result<Vec<Sum>, SqlError> {
    sql.fetch(KEPT, &[first.0.into(), last.0.into()]).await
}

/// The sums of a day as the log of prices has them: what the kept ones must be.
///
/// # Errors
/// Those of the database.
pub async fn from_log(sql: &impl Sql, day: MoscowDay) -> Result<Vec<Sum>, SqlError> {
    sql.fetch(FROM_LOG, &[day.0.into()]).await
}

/// Makes the sums of a day again from the log of prices; how many were wrong. Only for days that are over: a price that is
/// added meanwhile may be left out.
///
/// # Errors
/// Those of the database.
pub async fn rebuild(sql: &impl Sql, day: MoscowDay) -> Result<usize, SqlError> {
    Ok(sql.query(REBUILD, &[day.0.into()]).await?.len())
}
