//! Many products from a file.

use axum::extract::{Path, State};
use http::{StatusCode, header};
use octo_core::{Clock, Problem};
use octo_http::{
    App, Error, Response, audit,
    body::Fields,
    extract::{Admin, Whole},
    respond,
};
use octo_shop::{
    Config,
    imports::{self, MAX_ROWS, Row, WrongRow},
};
use octo_shop_http::{config, problems::of_imports, shop, sql};
use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;

use crate::{
    administration::Asked,
    reading::{self, cell},
    responses::ImportBody,
};

/// How long the request that begins an import goes on with it once its client has the response.
const CARRIED_OUT_FOR: Duration = Duration::from_secs(20);

/// Add and change many products
///
/// From CSV (RFC 4180; a line with the names `id,name,category,price,stock,description,manufacturer`, of which `id`,
/// `stock`, `description` and `manufacturer` may be left out, then a line for each product), or from NDJSON (a JSON object
/// with these members on each line). A row with the `id` of a product changes it, another one adds a product. At most 50 000
/// rows. What can be read is carried out in the background; what cannot is told row by row. With an `Idempotency-Key` the
/// same file can be sent again.
#[utoipa::path(
    post, path = "/shop/imports", tag = "catalog", operation_id = "importProducts",
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out.")),
    request_body(
        content((String = "text/csv"), (String = "application/x-ndjson")),
        description = "The products."
    ),
    responses(
        (status = 201, description = "The import has begun.", body = ImportBody,
            headers(("Location" = String, description = "Where to see how it goes."))),
        (status = 415, description = "The body is neither CSV nor NDJSON."),
        (status = 422, description = "The body cannot be read, or has too many rows; or the key belongs to another request."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn begin(
    State(app): State<App>,
    Admin(actor): Admin,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let body = body.map_err(Problem::from)?;
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = content_type.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let members = match kind.as_str() {
        "text/csv" => csv_rows(&body)?,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => ndjson_rows(&body)?,
        _ => {
            let detail =
                "Send CSV, with the header `Content-Type: text/csv`, or NDJSON, with `application/x-ndjson`.";
            let title = "The body's type is not supported";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "unsupported-content-type", title, detail).into());
        }
    };
    let (rows, wrong) = sorted_out(&app, members);
    let asked = Asked::read(&head.headers, actor, "POST /shop/imports", &[kind.as_bytes(), &body])?;
    let id = octo_shop::uuid(&app.entropy);
    audit::note(&app, actor, "products-imported", &[("import", json!(id)), ("rows", json!(rows.len()))])
        .await?;
    let sql = sql(&app);
    let begun = imports::begin(&sql, &id, &rows, &wrong, actor, asked.key(), app.clock.now()).await;
    let (import, repeated) = begun.map_err(of_imports)?;
    let (later, config) = (app.clone(), config(&app)?);
    app.after.run(async move { carry_out(&later, &config).await });
    let location = format!("/shop/imports/{}", import.uuid);
    Ok(respond::created(&ImportBody::from(&import), &location, repeated))
}

/// Carries out what waits, for some seconds. A failure is noted with the job, and leaves it to the scheduler.
async fn carry_out(app: &App, config: &Config) {
    let sql = sql(app);
    let shop = shop(app, &sql, config);
    let jobs = shop.imports();
    drop(jobs.performer(&sql, &app.clock, &app.entropy).drain(app.clock.now() + CARRIED_OUT_FOR).await);
}

/// The members of each row, or what is wrong with it.
type Members = Vec<Result<Map<String, Value>, String>>;

fn too_many() -> Problem {
    Problem::invalid("", format!("must have at most {MAX_ROWS} rows"))
}

fn csv_rows(text: &[u8]) -> Result<Members, Problem> {
    let unreadable = |error: csv::Error| Problem::invalid("", format!("cannot be read as CSV: {error}"));
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let names = reader.headers().map_err(unreadable)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        if rows.len() == MAX_ROWS {
            return Err(too_many());
        }
        rows.push(match record {
            Ok(record) => {
                let cells = names.iter().zip(&record);
                Ok(cells.filter_map(|(name, text)| Some((name.to_owned(), cell(name, text)?))).collect())
            }
            Err(error) => Err(error.to_string()),
        });
    }
    Ok(rows)
}

fn ndjson_rows(text: &[u8]) -> Result<Members, Problem> {
    let text = str::from_utf8(text).map_err(|_| Problem::invalid("", "must be UTF-8"))?;
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if rows.len() == MAX_ROWS {
            return Err(too_many());
        }
        rows.push(match serde_json::from_str(line) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err("must be a JSON object".to_owned()),
            Err(error) => Err(format!("is no JSON: {error}")),
        });
    }
    Ok(rows)
}

/// The rows that can be carried out, and what is wrong with the others.
fn sorted_out(app: &App, members: Members) -> (Vec<Row>, Vec<WrongRow>) {
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut seen = std::collections::HashSet::new();
    for (row, members) in (1..).zip(members) {
        let mut refuse =
            |pointer: &str, rule: String| wrong.push(WrongRow { row, pointer: pointer.into(), rule });
        let mut members = match members {
            Ok(members) => members,
            Err(rule) => {
                refuse("", rule);
                continue;
            }
        };
        let uuid = match members.remove("id") {
            None | Some(Value::Null) => octo_shop::uuid(&app.entropy),
            Some(id) => match id.as_str().and_then(|text| Uuid::try_parse(text).ok()) {
                Some(uuid) => uuid.to_string(),
                None => {
                    refuse("/id", "must be a UUID".to_owned());
                    continue;
                }
            },
        };
        match reading::new_product(Fields::of(members)) {
            Ok(_) if !seen.insert(uuid.clone()) => refuse("/id", "is in an earlier row".to_owned()),
            Ok((product, has_stock)) => rows.push(Row { uuid, product, has_stock }),
            Err(Problem { errors, .. }) => {
                for error in errors {
                    refuse(&error.pointer, error.rule);
                }
            }
        }
    }
    (rows, wrong)
}

/// See how an import goes
#[utoipa::path(
    get, path = "/shop/imports/{id}", tag = "catalog", operation_id = "getImport",
    params(("id" = String, Path, description = "The import's id.")),
    responses(
        (status = 200, description = "How it stands.", body = ImportBody),
        (status = 404, description = "There is no such import."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn progress(
    State(app): State<App>,
    _: Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let import = imports::by_uuid(&sql(&app), &id.to_ascii_lowercase()).await.map_err(of_imports)?;
    Ok(respond::json(StatusCode::OK, &ImportBody::from(&import)))
}
