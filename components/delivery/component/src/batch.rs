//! Many parcels in one request.

use axum::extract::State;
use http::{StatusCode, header};
use octo_core::{Problem, problem::FieldError};
use octo_delivery::{Config, Parcels, Refusal, parcels::Key};
use octo_http::{
    App, Error, Items, Response,
    body::Fields,
    extract::Whole,
    idempotency::{IdempotencyKey, Scope},
    respond,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    guards::Visitor,
    own,
    pricing::{self, sql},
    reading, responses,
};

/// Most rows of a batch.
const MAX_ROWS: usize = 200;

/// What became of one row.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelBatchRow)]
pub(crate) struct RowBody {
    /// Which row, from 1; the line with the names does not count.
    row: usize,
    /// The parcel's number, when it was registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<i64>,
    /// The rules that the row breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<RowError>,
}

/// A rule that a cell breaks.
#[derive(Serialize, ToSchema)]
#[schema(as = ParcelBatchError)]
pub(crate) struct RowError {
    /// The column.
    #[schema(example = "/weight")]
    pointer: String,
    #[schema(example = "must be greater than 0")]
    rule: String,
}

impl From<FieldError> for RowError {
    fn from(of: FieldError) -> Self {
        Self { pointer: of.pointer, rule: of.rule }
    }
}

/// Register many parcels
///
/// From CSV (RFC 4180): a line with the names `name,weight,value,type`, then at most 200 rows. Each row is registered by
/// itself; what a row breaks is told with its number. With an `Idempotency-Key` the same rows can be sent again.
#[utoipa::path(
    post, path = "/parcels/batch", tag = "delivery", operation_id = "registerParcels",
    params(("Idempotency-Key" = Option<String>, Header, description = "A row with one key is registered once.")),
    request_body(content = String, content_type = "text/csv", example = "name,weight,value,type\nPhone,1.50,10.99,2\n"),
    responses(
        (status = 200, description = "What became of each row.", body = Items<RowBody>),
        (status = 415, description = "The body is no CSV."),
        (status = 422, description = "The body cannot be read as CSV, or has too many rows."),
        (status = 429, description = "The client registered too many parcels today; the rows before were registered."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn register_many(
    State(app): State<App>,
    visitor: Visitor,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let content_type =
        head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !content_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("text/csv") {
        let detail = "Send CSV, with the header `Content-Type: text/csv`.";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-content-type",
            "The body's type is not supported",
            detail,
        )
        .into());
    }
    let rows = rows(&body.map_err(Problem::from)?)?;
    let key = IdempotencyKey::read(&head.headers)?;
    let caller = visitor.owner.key();
    let sql = sql(&app);
    let parcels = Parcels::new(&sql);
    let mut items = Vec::with_capacity(rows.len());
    for (row, members) in (1..).zip(rows) {
        let new = match reading::parcel(Fields::of(members)) {
            Ok(new) => new,
            Err(Problem { errors, .. }) => {
                items.push(RowBody {
                    row,
                    id: None,
                    errors: errors.into_iter().map(RowError::from).collect(),
                });
                continue;
            }
        };
        own::take_quota(&app, &visitor, &head.headers).await?;
        let route = format!("POST /parcels/batch {row}");
        let key = key.as_ref().map(|key| key.scoped(Scope { caller: &caller, route: &route }));
        let fingerprint = own::fingerprint(&new);
        let key = key.as_deref().map(|key| Key { key, fingerprint: &fingerprint });
        let status = own::status_uuid(&app);
        let item = match parcels.register(&visitor.owner, &new, &status, key, app.clock.now()).await {
            Ok(registered) => RowBody { row, id: Some(registered.parcel.id), errors: Vec::new() },
            Err(refusal @ (Refusal::NoSuchType | Refusal::KeyReused)) => {
                let problem = responses::problem(refusal);
                let mut errors: Vec<RowError> = problem.errors.into_iter().map(RowError::from).collect();
                if errors.is_empty() {
                    errors.push(RowError { pointer: String::new(), rule: problem.detail });
                }
                RowBody { row, id: None, errors }
            }
            Err(refusal) => return Err(responses::problem(refusal).into()),
        };
        items.push(item);
    }
    pricing::carry_out_later(&app, &Config::read(&app.settings)?);
    Ok(respond::json(StatusCode::OK, &Items { items, next: None }))
}

/// The rows of a CSV text, each with its cells by the names of their columns.
fn rows(csv: &[u8]) -> Result<Vec<Map<String, Value>>, Problem> {
    let unreadable = |error: csv::Error| Problem::invalid("", format!("cannot be read as CSV: {error}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv);
    let names = reader.headers().map_err(unreadable)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        if rows.len() == MAX_ROWS {
            return Err(Problem::invalid("", format!("must have at most {MAX_ROWS} rows")));
        }
        let record = record.map_err(unreadable)?;
        rows.push(
            names.iter().zip(&record).map(|(name, cell)| (name.to_owned(), Value::from(cell))).collect(),
        );
    }
    Ok(rows)
}
