//! What administrators may do.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use octo_core::{Clock, Problem};
use octo_http::{
    App, Error, Items, Page, Response, audit,
    body::Fields,
    extract::Admin,
    idempotency::{Fingerprint, IdempotencyKey, Scope},
    page::PageParams,
    query::Query,
    respond,
};
use octo_shop::{
    Catalogue, Key,
    product::MAX_QUANTITY,
    stock::{self, Correction},
};
use octo_shop_http::{
    problems::{of_catalogue, of_stock},
    sql,
};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    own::uuid,
    reading::{self, ChangeBody, NewProductBody},
    responses::{CheckBody, ProductBody, StockChangeBody},
};

/// Fewer than so many are few, unless another number is asked for.
const FEW: i64 = 10;

/// Longest note, in characters.
const MAX_NOTE: usize = 200;

/// What an administrator asks for with a key.
pub(crate) struct Asked {
    key: Option<String>,
    fingerprint: Fingerprint,
}

impl Asked {
    pub(crate) fn read(
        headers: &HeaderMap,
        actor: i64,
        route: &str,
        parts: &[&[u8]],
    ) -> Result<Self, Problem> {
        let caller = actor.to_string();
        let key = IdempotencyKey::read(headers)?.map(|key| key.scoped(Scope { caller: &caller, route }));
        Ok(Self { key, fingerprint: Fingerprint::of(parts) })
    }

    pub(crate) fn key(&self) -> Option<Key<'_>> {
        let fingerprint = self.fingerprint.as_str();
        self.key.as_deref().map(|key| Key { key, fingerprint })
    }
}

/// Add a product
#[utoipa::path(
    post, path = "/shop/products", tag = "catalog", operation_id = "addProduct",
    params(("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out.")),
    request_body = NewProductBody,
    responses(
        (status = 201, description = "The product.", body = ProductBody,
            headers(("Location" = String, description = "Where the product is."))),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn add(
    State(app): State<App>,
    Admin(actor): Admin,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let (new, _) = reading::new_product(fields)?;
    let asked = Asked::read(&headers, actor, "POST /shop/products", &[format!("{new:?}").as_bytes()])?;
    let id = octo_shop::uuid(&app.entropy);
    audit::note(&app, actor, "product-added", &[("product", json!(id)), ("name", json!(new.name))]).await?;
    let sql = sql(&app);
    let added = Catalogue::new(&sql).add(&new, &id, actor, asked.key(), app.clock.now()).await;
    let (product, repeated) = added.map_err(of_catalogue)?;
    let location = format!("/shop/products/{}", product.uuid);
    Ok(respond::created(&ProductBody::from(&product), &location, repeated))
}

/// Change a product
///
/// What is not sent stays as it is. A new price is charged from the next order on; customers who have seen a lower one are
/// told.
#[utoipa::path(
    patch, path = "/shop/products/{id}", tag = "catalog", operation_id = "changeProduct",
    params(("id" = String, Path, description = "The product's id.")),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The product as it is now.", body = ProductBody),
        (status = 404, description = "There is no such product, or it is not sold any more."),
        (status = 422, description = "A field breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn change(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Error> {
    let (id, change) = (uuid(&id)?, reading::change(fields)?);
    let sql = sql(&app);
    let catalogue = Catalogue::new(&sql);
    catalogue.sold(&id).await.map_err(of_catalogue)?;
    audit::note(&app, actor, "product-changed", &[("product", json!(id))]).await?;
    let product = catalogue.change(&id, &change, actor, app.clock.now()).await.map_err(of_catalogue)?;
    Ok(respond::json(StatusCode::OK, &ProductBody::from(&product)))
}

/// Withdraw a product
///
/// It is not sold any more. Carts keep their lines, which say so; orders stay as they are. To withdraw it twice changes
/// nothing.
#[utoipa::path(
    delete, path = "/shop/products/{id}", tag = "catalog", operation_id = "withdrawProduct",
    params(("id" = String, Path, description = "The product's id.")),
    responses(
        (status = 204, description = "It is withdrawn."),
        (status = 404, description = "There is no such product."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn withdraw(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = uuid(&id)?;
    let sql = sql(&app);
    let catalogue = Catalogue::new(&sql);
    catalogue.any(&id).await.map_err(of_catalogue)?;
    audit::note(&app, actor, "product-withdrawn", &[("product", json!(id))]).await?;
    catalogue.withdraw(&id, actor, app.clock.now()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// A correction of a product's stock.
#[derive(ToSchema)]
#[schema(as = StockCorrection)]
#[allow(dead_code)]
pub(crate) struct CorrectionBody {
    /// What is added, or taken away; not 0.
    #[schema(example = -2)]
    change: i64,
    /// Why: 1 to 200 characters.
    #[schema(example = "broken in the store")]
    reason: String,
}

/// Correct the stock of a product
///
/// By a difference, so that orders that are made meanwhile count.
#[utoipa::path(
    post, path = "/shop/products/{id}/stock", tag = "catalog", operation_id = "correctStock",
    params(
        ("id" = String, Path, description = "The product's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "Of the requests with one key, one is carried out."),
    ),
    request_body = CorrectionBody,
    responses(
        (status = 201, description = "The change.", body = StockChangeBody),
        (status = 404, description = "There is no such product."),
        (status = 409, description = "There are not so many."),
        (status = 422, description = "A field breaks a rule, or the key belongs to another request."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn correct_stock(
    State(app): State<App>,
    Admin(actor): Admin,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut fields: Fields,
) -> Result<Response, Error> {
    let change = fields.whole_number_within("change", -MAX_QUANTITY..=MAX_QUANTITY);
    let note = fields.text("reason", |text| {
        let fits =
            (1..=MAX_NOTE).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control);
        if fits {
            Ok(text.trim().to_owned())
        } else {
            Err("must have 1 to 200 characters, and no control characters")
        }
    });
    let (change, note) = fields.finish(change.zip(note))?;
    if change == 0 {
        return Err(Problem::invalid("/change", "must not be 0").into());
    }
    let id = uuid(&id)?;
    let sql = sql(&app);
    let product = Catalogue::new(&sql).any(&id).await.map_err(of_catalogue)?;
    let asked = Asked::read(&headers, actor, &format!("POST /shop/products/{id}/stock"), &[])?;
    let subject = [("product", json!(id)), ("change", json!(change)), ("reason", json!(note))];
    audit::note(&app, actor, "stock-corrected", &subject).await?;
    let correction = Correction { change, note: &note, actor };
    let done = stock::correct(&sql, &product, correction, asked.key(), app.clock.now()).await;
    let (done, repeated) = done.map_err(of_stock)?;
    Ok(respond::created(&StockChangeBody::from(&done), &format!("/shop/products/{id}/stock"), repeated))
}

/// See what happened to a product's stock
///
/// The newest first. The changes come to the stock.
#[utoipa::path(
    get, path = "/shop/products/{id}/stock", tag = "catalog", operation_id = "listStockChanges",
    params(("id" = String, Path, description = "The product's id."), PageParams),
    responses(
        (status = 200, description = "A page of it.", body = Items<StockChangeBody>),
        (status = 404, description = "There is no such product."),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn stock_ledger(
    State(app): State<App>,
    _: Admin,
    Path(id): Path<String>,
    page: Page,
) -> Result<Response, Error> {
    let sql = sql(&app);
    let product = Catalogue::new(&sql).any(&uuid(&id)?).await.map_err(of_catalogue)?;
    let found = stock::ledger(&sql, product.id, page.before_number()?, page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&found, StockChangeBody::from, |change| change.id)))
}

/// See which products run out
///
/// Those of which there are fewer than `below`, the scarcest first.
#[utoipa::path(
    get, path = "/shop/stock/low", tag = "catalog", operation_id = "listLowStock",
    params(
        ("below" = Option<i64>, Query, description = "Fewer than so many are few; 10 when it is not given.", minimum = 1),
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of them.", body = Items<ProductBody>),
        (status = 422, description = "A parameter breaks a rule."),
    ),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn low_stock(
    State(app): State<App>,
    _: Admin,
    query: Query,
    page: Page,
) -> Result<Response, Error> {
    let below = query.number("below")?.unwrap_or(FEW);
    if below < 1 {
        return Err(Problem::invalid("/below", "must be 1 or more").into());
    }
    let after = match page.after() {
        None => (-1, 0),
        Some(text) => {
            let numbers = text.split_once('/');
            let numbers = numbers.and_then(|(stock, id)| Some((stock.parse().ok()?, id.parse().ok()?)));
            numbers.ok_or_else(|| Problem::invalid("/after", "must be the `next` of a page of this list"))?
        }
    };
    let found = stock::low(&sql(&app), below, after, page.limit).await?;
    let place = |product: &octo_shop::Product| format!("{}/{}", product.stock, product.id);
    Ok(respond::json(StatusCode::OK, &page.items(&found, ProductBody::from, place)))
}

/// Check the ledger of the stock
///
/// The changes of each product must come to its stock.
#[utoipa::path(
    get, path = "/shop/stock/check", tag = "catalog", operation_id = "checkStock",
    responses((status = 200, description = "Whether they do.", body = CheckBody)),
    security(("access_token" = []), ("session_cookie" = []))
)]
pub(crate) async fn check(State(app): State<App>, _: Admin) -> Result<Response, Error> {
    let wrong = stock::wrong(&sql(&app)).await?;
    Ok(respond::json(StatusCode::OK, &CheckBody { balances: wrong.is_empty(), wrong }))
}
