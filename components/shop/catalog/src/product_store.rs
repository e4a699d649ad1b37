//! The routes of the original's catalogue, for its clients.
//!
//! Different on purpose: to change and withdraw a product takes an administrator, null changes nothing that must be there,
//! categories are counted, bounds of the price work, and redirects keep their prefix.

use axum::extract::{Path, State};
use http::{StatusCode, header, request::Parts};
use octo_core::{Clock, Hundredths};
use octo_http::{
    App, Error, Request, Response,
    api::Mismatch,
    audit,
    extract::Whole,
    fastapi::{self, Body, DECIMAL, Errors, FastApiError, INTEGER, Kind, Links, Place, Rule, STRING, UUID},
    query::Query,
    respond,
};
use octo_shop::{
    Catalogue, NewProduct, Product,
    catalogue::{Direction, Filter, Refusal, Sort},
    product::{self, Change, MAX_QUANTITY},
};
use octo_shop_http::{
    problems::of_catalogue,
    product_store::{Message, Profiles, Profiling, message, no_profiles, no_profiling, number},
    shopper::{Presented, presented},
    sql,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

const NEEDS_CATEGORY: &str =
    "Обычные пользователи должны указать категорию товаров. Используйте параметр 'category'.";
const BOUNDS: &str = "min_price не может быть больше max_price";
const NO_PRODUCT: &str = "Product not found";

/// The categories that the original always lists, in its order.
const CATEGORIES: [&str; 11] = [
    "Молочные продукты",
    "Фрукты",
    "Напитки",
    "Пельмени",
    "Бакалея",
    "Сладкое",
    "Сигареты",
    "Мясо",
    "Овощи",
    "Средства для уборки",
    "Алкоголь",
];

/// What the original sends to a request under `/api` that no route takes as it is.
pub(crate) fn refused(request: &Request, mismatch: Mismatch<'_>) -> Option<Response> {
    octo_shop_http::product_store::refused(request, mismatch, "/api", &["/products"])
}

/// See what the original's catalogue is
#[utoipa::path(
    get, path = "/api/", tag = "catalog", operation_id = "storeRoot",
    responses((status = 200, description = "Its name.", body = Message))
)]
pub(crate) async fn root() -> Response {
    message("Welcome to the Product Store API")
}

/// Whether the catalogue is there.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreCatalogHealth)]
pub(crate) struct HealthBody {
    #[schema(example = "ok")]
    status: &'static str,
    #[schema(example = "ok")]
    database_connection: &'static str,
}

/// See whether the original's catalogue is there
#[utoipa::path(
    get, path = "/api/system/health", tag = "catalog", operation_id = "storeHealth",
    responses(
        (status = 200, description = "It is.", body = HealthBody),
        (status = 503, description = "The database is away.", body = HealthBody),
    )
)]
pub(crate) async fn health(State(app): State<App>) -> Response {
    match Catalogue::new(&sql(&app)).categories("", 1).await {
        Ok(_) => respond::json(StatusCode::OK, &HealthBody { status: "ok", database_connection: "ok" }),
        Err(_) => {
            let body = HealthBody { status: "error", database_connection: "unavailable" };
            respond::json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

/// A product in a list, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreProduct)]
pub(crate) struct ItemBody {
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = "Молочные продукты")]
    category: String,
    #[schema(example = 150.5)]
    price: f64,
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    product_id: String,
}

impl From<&Product> for ItemBody {
    fn from(of: &Product) -> Self {
        Self {
            name: of.name.clone(),
            category: of.category.clone(),
            price: number(of.price),
            product_id: of.uuid.clone(),
        }
    }
}

/// A product, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreProductDetail)]
pub(crate) struct DetailBody {
    #[schema(required)]
    description: Option<String>,
    #[schema(required)]
    manufacturer: Option<String>,
    #[schema(example = 40)]
    stock_count: i64,
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = "Молочные продукты")]
    category: String,
    #[schema(example = 150.5)]
    price: f64,
    #[schema(example = "3b241101-e2bb-4255-8caf-4136c566a962")]
    product_id: String,
}

impl From<&Product> for DetailBody {
    fn from(of: &Product) -> Self {
        Self {
            description: of.description.clone(),
            manufacturer: of.manufacturer.clone(),
            stock_count: of.stock,
            name: of.name.clone(),
            category: of.category.clone(),
            price: number(of.price),
            product_id: of.uuid.clone(),
        }
    }
}

/// A page of products, the keys in the original's order.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreProductPage)]
pub(crate) struct PageBody {
    total: i64,
    page: i64,
    pages: i64,
    has_next: bool,
    has_prev: bool,
    items: Vec<ItemBody>,
}

fn at_least(number: i64, least: i64) -> Result<i64, Rule> {
    if number >= least {
        return Ok(number);
    }
    let message = format!("Input should be greater than or equal to {least}");
    Err(Rule::new("greater_than_equal", message).with("ge", least))
}

const SKIP: Kind<i64> = Kind::new(|value| at_least(INTEGER.read(value)?, 0));

const LIMIT: Kind<i64> = Kind::new(|value| match at_least(INTEGER.read(value)?, 1)? {
    limit if limit <= 100 => Ok(limit),
    _ => Err(Rule::new("less_than_equal", "Input should be less than or equal to 100").with("le", 100)),
});

const SORT: Kind<Sort> = Kind::new(|value| match value.as_str() {
    Some("name") => Ok(Sort::Name),
    Some("price") => Ok(Sort::Price),
    _ => Err(pattern("^(name|price)$")),
});

const DIRECTION: Kind<Direction> = Kind::new(|value| match value.as_str() {
    Some("asc") => Ok(Direction::Ascending),
    Some("desc") => Ok(Direction::Descending),
    _ => Err(pattern("^(asc|desc)$")),
});

fn pattern(pattern: &'static str) -> Rule {
    Rule::new("string_pattern_mismatch", format!("String should match pattern '{pattern}'"))
        .with("pattern", pattern)
}

/// A bound of the price, as a number of kopecks that may lie between two.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Bound(f64);

/// A bound; it is compared with prices, and never reckoned with.
const BOUND: Kind<Bound> = Kind::new(|value| {
    let text = value.as_str().unwrap_or("").trim();
    let number: f64 = text.parse().map_err(|_| {
        Rule::new("float_parsing", "Input should be a valid number, unable to parse string as a number")
    })?;
    if number.is_nan() || number < 0.0 {
        return Err(
            Rule::new("greater_than_equal", "Input should be greater than or equal to 0").with("ge", 0.0)
        );
    }
    // What has two places is exact.
    Ok(Bound(Hundredths::parse(text).map_or(number * 100.0, |Hundredths(minor)| minor as f64)))
});

/// Which part of the catalogue a client of the original asks for.
struct Wanted {
    filter: Filter,
    skip: i64,
    limit: i64,
}

/// Reads what is asked for. Where the original does not check the order, an unknown one is ignored.
fn wanted(query: &Query, is_strict: bool) -> Result<Wanted, Error> {
    let mut errors = Errors::new(Place::Query, Links::None);
    let skip = errors.parameter(query, "skip", &SKIP).unwrap_or(0);
    let limit = errors.parameter(query, "limit", &LIMIT).unwrap_or(100);
    let (sort, direction) = if is_strict {
        (errors.parameter(query, "sort_by", &SORT), errors.parameter(query, "sort_order", &DIRECTION))
    } else {
        let read = |name: &str| Value::from(query.get(name).unwrap_or(""));
        (SORT.read(read("sort_by")).ok(), DIRECTION.read(read("sort_order")).ok())
    };
    let min = errors.parameter(query, "min_price", &BOUND);
    let max = errors.parameter(query, "max_price", &BOUND);
    errors.finish(Some(()))?;
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        return Err(fastapi::detail(StatusCode::BAD_REQUEST, BOUNDS).into());
    }
    let filter = Filter {
        category: None,
        min_price: min.map(|Bound(min)| min.ceil() as i64),
        max_price: max.map(|Bound(max)| max.floor() as i64),
        sort: sort.unwrap_or_default(),
        // Without an order there is no direction.
        direction: sort.and(direction).unwrap_or_default(),
        ..Filter::default()
    };
    Ok(Wanted { filter, skip, limit })
}

/// The page; `empty` is the number of pages when there is nothing.
async fn page(app: &App, wanted: &Wanted, empty: i64) -> Result<Response, Error> {
    let Wanted { filter, skip, limit } = wanted;
    let (total, found) = Catalogue::new(&sql(app)).page(filter, *skip, *limit).await?;
    let body = PageBody {
        total,
        page: skip / limit + 1,
        pages: if total == 0 { empty } else { (total + limit - 1) / limit },
        has_next: skip.saturating_add(*limit) < total,
        has_prev: *skip > 0,
        items: found.iter().map(ItemBody::from).collect(),
    };
    Ok(respond::json(StatusCode::OK, &body))
}

/// See products, as the original's clients do
///
/// Who is no administrator must name a category.
#[utoipa::path(
    get, path = "/api/products/", tag = "catalog", operation_id = "storeListProducts",
    params(
        ("category" = Option<String>, Query, description = "Only those of this category."),
        ("skip" = Option<i64>, Query, description = "How many to leave out.", minimum = 0),
        ("limit" = Option<i64>, Query, description = "How many a page has; 100 as a rule.", minimum = 1, maximum = 100),
        ("sort_by" = Option<String>, Query, description = "`name` or `price`."),
        ("sort_order" = Option<String>, Query, description = "`asc` or `desc`."),
        ("min_price" = Option<f64>, Query, description = "Only those that cost so much or more."),
        ("max_price" = Option<f64>, Query, description = "Only those that cost so much or less."),
    ),
    responses(
        (status = 200, description = "A page of them.", body = PageBody),
        (status = 400, description = "The bounds of the price exclude each other.", body = FastApiError),
        (status = 403, description = "A category is needed.", body = FastApiError),
        (status = 422, description = "A parameter breaks a rule.", body = FastApiError),
    ),
    security((), ("access_token" = []))
)]
pub(crate) async fn list_products(
    State(app): State<App>,
    query: Query,
    mut parts: Parts,
) -> Result<Response, Error> {
    let mut wanted = wanted(&query, true)?;
    wanted.filter.category = query.get("category").filter(|name| !name.is_empty()).map(str::to_owned);
    if wanted.filter.category.is_none() {
        let presented = presented(&mut parts, &app).await?;
        if !matches!(presented, Presented::Shopper(shopper) if shopper.is_administrator) {
            return Err(fastapi::detail(StatusCode::FORBIDDEN, NEEDS_CATEGORY).into());
        }
    }
    page(&app, &wanted, 1).await
}

/// See the products of a category, as the original's clients do
#[utoipa::path(
    get, path = "/api/products/by-category/{category}", tag = "catalog", operation_id = "storeListByCategory",
    params(
        ("category" = String, Path, description = "The category."),
        ("skip" = Option<i64>, Query, description = "How many to leave out.", minimum = 0),
        ("limit" = Option<i64>, Query, description = "How many a page has; 100 as a rule.", minimum = 1, maximum = 100),
        ("sort_by" = Option<String>, Query, description = "`name` or `price`; anything else is ignored."),
        ("sort_order" = Option<String>, Query, description = "`asc` or `desc`; anything else is ignored."),
        ("min_price" = Option<f64>, Query, description = "Only those that cost so much or more."),
        ("max_price" = Option<f64>, Query, description = "Only those that cost so much or less."),
    ),
    responses(
        (status = 200, description = "A page of them.", body = PageBody),
        (status = 400, description = "The bounds of the price exclude each other.", body = FastApiError),
        (status = 422, description = "A parameter breaks a rule.", body = FastApiError),
    )
)]
pub(crate) async fn by_category(
    State(app): State<App>,
    Path(category): Path<String>,
    query: Query,
) -> Result<Response, Error> {
    let mut wanted = wanted(&query, false)?;
    wanted.filter.category = Some(category);
    page(&app, &wanted, 0).await
}

/// A category as the original's clients read it.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreCategory)]
pub(crate) struct CategoryBody {
    #[schema(example = "Молочные продукты")]
    name: String,
    #[schema(example = 120)]
    product_count: i64,
}

/// See the categories, as the original's clients do
///
/// The eleven that the original always has, and then all others that have products.
#[utoipa::path(
    get, path = "/api/products/categories/list", tag = "catalog", operation_id = "storeListCategories",
    responses((status = 200, description = "All of them.", body = Vec<CategoryBody>))
)]
pub(crate) async fn list_categories(State(app): State<App>) -> Result<Response, Error> {
    let counted = Catalogue::new(&sql(&app)).categories("", 1000).await?;
    let count =
        |name: &str| counted.iter().find(|category| category.name == name).map_or(0, |of| of.products);
    let known =
        CATEGORIES.into_iter().map(|name| CategoryBody { name: name.to_owned(), product_count: count(name) });
    let others = counted.iter().filter(|category| !CATEGORIES.contains(&category.name.as_str()));
    let others =
        others.map(|category| CategoryBody { name: category.name.clone(), product_count: category.products });
    Ok(respond::json(StatusCode::OK, &known.chain(others).collect::<Vec<_>>()))
}

/// The UUID in a path, as it is kept.
fn uuid(text: &str) -> Result<String, Error> {
    match UUID.read(Value::from(text)) {
        Ok(uuid) => Ok(uuid.to_string()),
        Err(rule) => Err(fastapi::in_path("product_id", rule, text).into()),
    }
}

/// A refusal as the original sends it.
fn refusal(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NoSuchProduct => fastapi::detail(StatusCode::NOT_FOUND, NO_PRODUCT).into(),
        refusal => of_catalogue(refusal).into(),
    }
}

/// See a product, as the original's clients do
#[utoipa::path(
    get, path = "/api/products/{product_id}", tag = "catalog", operation_id = "storeGetProduct",
    params(("product_id" = String, Path, description = "The product's UUID.")),
    responses(
        (status = 200, description = "The product.", body = DetailBody),
        (status = 404, description = "There is no such product.", body = FastApiError),
        (status = 422, description = "It is no UUID.", body = FastApiError),
    )
)]
pub(crate) async fn get_product(
    State(app): State<App>,
    Path(product_id): Path<String>,
) -> Result<Response, Error> {
    let found = Catalogue::new(&sql(&app)).sold(&uuid(&product_id)?).await.map_err(refusal)?;
    Ok(respond::json(StatusCode::OK, &DetailBody::from(&found)))
}

/// The number of the administrator's account.
async fn administrator(parts: &mut Parts, app: &App) -> Result<i64, Error> {
    match presented(parts, app).await? {
        Presented::Shopper(shopper) if shopper.is_administrator => Ok(shopper.customer.number()),
        Presented::Shopper(shopper) if shopper.customer.account().is_some() => {
            Err(fastapi::detail(StatusCode::FORBIDDEN, "Admin access required").into())
        }
        _ => Err(fastapi::challenge("Authentication required").into()),
    }
}

const NAME: Kind<String> = Kind::new(|value| {
    let text = STRING.read(value)?;
    product::name(&text).map_err(|rule| Rule::new("value_error", format!("Value error, {rule}")))
});

const DESCRIPTION: Kind<String> = Kind::new(|value| {
    let text = STRING.read(value)?;
    product::description(&text).map_err(|rule| Rule::new("value_error", format!("Value error, {rule}")))
});

/// A manufacturer; an empty one is none.
const MANUFACTURER: Kind<Option<String>> = Kind::new(|value| match value.as_str() {
    Some(text) if text.trim().is_empty() => Ok(None),
    _ => NAME.read(value).map(Some),
});

const STOCK: Kind<i64> = Kind::new(|value| match at_least(INTEGER.read(value)?, 0)? {
    stock if stock <= MAX_QUANTITY => Ok(stock),
    _ => Err(Rule::new("less_than_equal", "Input should be less than or equal to 1000000000")
        .with("le", MAX_QUANTITY)),
});

/// The body of `POST /api/products/`; that of `PUT` has any of these members.
#[derive(ToSchema)]
#[schema(as = StoreNewProduct)]
#[allow(dead_code)]
pub(crate) struct NewBody {
    #[schema(example = "Молоко")]
    name: String,
    #[schema(example = "Молочные продукты")]
    category: String,
    /// A number or its text.
    #[schema(example = 150.5)]
    price: f64,
    #[schema(example = 40)]
    stock_count: i64,
    description: Option<String>,
    manufacturer: Option<String>,
}

/// Any members of a product.
#[derive(ToSchema)]
#[schema(as = StoreProductChange)]
#[allow(dead_code)]
pub(crate) struct ChangeBody {
    name: Option<String>,
    category: Option<String>,
    /// A number or its text.
    price: Option<f64>,
    stock_count: Option<i64>,
    description: Option<String>,
    manufacturer: Option<String>,
}

/// Add a product, as the original's clients do
#[utoipa::path(
    post, path = "/api/products/", tag = "catalog", operation_id = "storeCreateProduct",
    request_body = NewBody,
    responses(
        (status = 201, description = "The product.", body = DetailBody),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 403, description = "An administrator is needed.", body = FastApiError),
        (status = 422, description = "A field is wrong.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn create_product(State(app): State<App>, Whole(request): Whole) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let actor = administrator(&mut parts, &app).await?;
    let mut body = Body::read(Request::from_parts(parts, body), Links::None)?.showing_input();
    let (name, category) = (body.required("name", &NAME), body.required("category", &NAME));
    let (price, stock) = (body.required("price", &DECIMAL), body.required("stock_count", &STOCK));
    let description = body.optional("description", &DESCRIPTION);
    let manufacturer = body.optional("manufacturer", &MANUFACTURER);
    let values = name.zip(category).zip(price.zip(stock)).zip(description.zip(manufacturer));
    let (((name, category), (Hundredths(price), stock)), (description, manufacturer)) =
        body.finish(values)?;
    let new = NewProduct { name, category, price, stock, description, manufacturer: manufacturer.flatten() };
    let id = octo_shop::uuid(&app.entropy);
    audit::note(&app, actor, "product-added", &[("product", json!(id)), ("name", json!(new.name))]).await?;
    let added = Catalogue::new(&sql(&app)).add(&new, &id, actor, None, app.clock.now()).await;
    let (product, _) = added.map_err(refusal)?;
    Ok(respond::json(StatusCode::CREATED, &DetailBody::from(&product)))
}

/// Change a product, as the original's clients do
#[utoipa::path(
    put, path = "/api/products/{product_id}", tag = "catalog", operation_id = "storeUpdateProduct",
    params(("product_id" = String, Path, description = "The product's UUID.")),
    request_body = ChangeBody,
    responses(
        (status = 200, description = "The product as it is now.", body = DetailBody),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 403, description = "An administrator is needed.", body = FastApiError),
        (status = 404, description = "There is no such product.", body = FastApiError),
        (status = 422, description = "A field is wrong, or the id is no UUID.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn update_product(
    State(app): State<App>,
    Path(product_id): Path<String>,
    Whole(request): Whole,
) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let actor = administrator(&mut parts, &app).await?;
    let id = uuid(&product_id)?;
    let parsed = fastapi::Parsed::read(Request::from_parts(parts, body), Links::None)?;
    let has = ["description", "manufacturer"].map(|name| parsed.has(name));
    let mut body = parsed.members()?.showing_input();
    let (name, category) = (body.optional("name", &NAME), body.optional("category", &NAME));
    let (price, stock) = (body.optional("price", &DECIMAL), body.optional("stock_count", &STOCK));
    let description = body.optional("description", &DESCRIPTION);
    let manufacturer = body.optional("manufacturer", &MANUFACTURER);
    let values = name.zip(category).zip(price.zip(stock)).zip(description.zip(manufacturer));
    let (((name, category), (price, stock)), (description, manufacturer)) = body.finish(values)?;
    let change = Change {
        name,
        category,
        price: price.map(|Hundredths(price)| price),
        stock,
        description: has[0].then_some(description),
        manufacturer: has[1].then_some(manufacturer.flatten()),
    };
    let sql = sql(&app);
    let catalogue = Catalogue::new(&sql);
    catalogue.sold(&id).await.map_err(refusal)?;
    audit::note(&app, actor, "product-changed", &[("product", json!(id))]).await?;
    let product = catalogue.change(&id, &change, actor, app.clock.now()).await.map_err(refusal)?;
    Ok(respond::json(StatusCode::OK, &DetailBody::from(&product)))
}

/// Withdraw a product, as the original's clients do
#[utoipa::path(
    delete, path = "/api/products/{product_id}", tag = "catalog", operation_id = "storeDeleteProduct",
    params(("product_id" = String, Path, description = "The product's UUID.")),
    responses(
        (status = 204, description = "There is no such product, any more or at all."),
        (status = 401, description = "There is no token, or it is not accepted.", body = FastApiError),
        (status = 403, description = "An administrator is needed.", body = FastApiError),
        (status = 422, description = "It is no UUID.", body = FastApiError),
    ),
    security(("access_token" = []))
)]
pub(crate) async fn delete_product(
    State(app): State<App>,
    Path(product_id): Path<String>,
    mut parts: Parts,
) -> Result<Response, Error> {
    let actor = administrator(&mut parts, &app).await?;
    let id = uuid(&product_id)?;
    audit::note(&app, actor, "product-withdrawn", &[("product", json!(id))]).await?;
    Catalogue::new(&sql(&app)).withdraw(&id, actor, app.clock.now()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// See whether the original's profiler runs
///
/// Octo has none.
#[utoipa::path(
    get, path = "/api/system/profiling/status", tag = "catalog", operation_id = "storeProfilingStatus",
    responses((status = 200, description = "It does not.", body = Profiling))
)]
pub(crate) async fn profiling_status() -> Response {
    no_profiling()
}

/// See what the original's profiler has written
///
/// Octo has none.
#[utoipa::path(
    get, path = "/api/system/profiling/profiles", tag = "catalog", operation_id = "storeProfiles",
    responses((status = 200, description = "Nothing.", body = Profiles))
)]
pub(crate) async fn profiling_profiles() -> Response {
    no_profiles()
}

fn elsewhere(path: &'static str) -> Response {
    let mut response = respond::empty(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(header::LOCATION, http::HeaderValue::from_static(path));
    response
}

/// Read about the original's catalogue
#[utoipa::path(
    get, path = "/api/swagger", tag = "catalog", operation_id = "storeSwagger",
    responses((status = 307, description = "The description of all of Octo is elsewhere."))
)]
pub(crate) async fn swagger() -> Response {
    elsewhere("/")
}

/// See the description of the original's catalogue
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "catalog", operation_id = "storeOpenapi",
    responses((status = 307, description = "The description of all of Octo is elsewhere."))
)]
pub(crate) async fn openapi() -> Response {
    elsewhere("/openapi.json")
}
