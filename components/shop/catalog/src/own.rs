//! Our own routes for those who look around.

use axum::extract::{Path, State};
use http::StatusCode;
use octo_core::{Hundredths, Problem};
use octo_http::{App, Error, Items, Page, Response, page::PageParams, query::Query, respond};
use octo_shop::{
    Catalogue,
    catalogue::{Direction, Filter, Place, Sort},
    search::Search,
};
use octo_shop_http::{
    problems::{no_such_product, of_catalogue},
    sql,
};
use uuid::Uuid;

use crate::responses::{CategoryBody, ProductBody};

/// Longest search, in characters.
const MAX_SEARCH: usize = 200;

/// See the products
///
/// Those that are sold, the newest first unless another order is asked for. `q` finds products whose name, description or
/// manufacturer has all of its terms, each at the beginning of a word; case does not matter, and ё is е.
#[utoipa::path(
    get, path = "/shop/products", tag = "catalog", operation_id = "listProducts",
    params(
        PageParams,
        ("q" = Option<String>, Query, description = "Only those that this finds."),
        ("category" = Option<String>, Query, description = "Only those of this category."),
        ("min_price" = Option<String>, Query, description = "Only those that cost so many roubles or more."),
        ("max_price" = Option<String>, Query, description = "Only those that cost so many roubles or less."),
        ("in_stock" = Option<bool>, Query, description = "`true`: only those that there are."),
        ("sort" = Option<String>, Query, description = "`added`, `name` or `price`; with `-` in front from the other end. `-added` when it is not given."),
    ),
    responses(
        (status = 200, description = "A page of them.", body = Items<ProductBody>),
        (status = 422, description = "A parameter breaks a rule."),
    )
)]
pub(crate) async fn products(State(app): State<App>, query: Query, page: Page) -> Result<Response, Error> {
    let filter = filter(&query)?;
    let foreign = || Problem::invalid("/after", "must be the `next` of a page of this list");
    let place = match page.after() {
        Some(text) => Some(serde_json::from_str::<Place>(text).map_err(|_| foreign())?),
        None => None,
    };
    let found = Catalogue::new(&sql(&app)).list(&filter, place.as_ref(), page.limit).await?;
    let found = found.ok_or_else(foreign)?;
    let place = |product| serde_json::to_string(&filter.place(product)).unwrap_or_default();
    Ok(respond::json(StatusCode::OK, &page.items(&found, ProductBody::from, place)))
}

fn filter(query: &Query) -> Result<Filter, Problem> {
    let bound = |name: &str| match query.get(name) {
        None => Ok(None),
        Some(text) => match Hundredths::parse(text) {
            Some(Hundredths(price)) if price >= 0 => Ok(Some(price)),
            _ => Err(Problem::invalid(format!("/{name}"), "must be a decimal of 0 or more, such as 150.50")),
        },
    };
    let in_stock = match query.get("in_stock") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::invalid("/in_stock", "must be true or false")),
    };
    let sort = query.get("sort").unwrap_or("-added");
    let (direction, sort) = match sort.strip_prefix('-') {
        Some(sort) => (Direction::Descending, sort),
        None => (Direction::Ascending, sort),
    };
    let sort = match sort {
        "added" => Sort::Added,
        "name" => Sort::Name,
        "price" => Sort::Price,
        _ => {
            return Err(Problem::invalid("/sort", "must be added, name or price, or one of them behind a -"));
        }
    };
    let search = query.get("q").unwrap_or("");
    if search.chars().count() > MAX_SEARCH {
        return Err(Problem::invalid("/q", format!("must have at most {MAX_SEARCH} characters")));
    }
    Ok(Filter {
        category: query.get("category").map(str::to_owned),
        min_price: bound("min_price")?,
        max_price: bound("max_price")?,
        in_stock,
        search: Search::of(search),
        sort,
        direction,
    })
}

/// The UUID in a path, as it is kept; what is no UUID is no product's.
pub(crate) fn uuid(text: &str) -> Result<String, Problem> {
    Uuid::try_parse(text).map(|uuid| uuid.to_string()).map_err(|_| no_such_product())
}

/// See a product
#[utoipa::path(
    get, path = "/shop/products/{id}", tag = "catalog", operation_id = "getProduct",
    params(("id" = String, Path, description = "The product's id.")),
    responses(
        (status = 200, description = "The product.", body = ProductBody),
        (status = 404, description = "There is no such product, or it is not sold any more."),
    )
)]
pub(crate) async fn product(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Error> {
    let found = Catalogue::new(&sql(&app)).sold(&uuid(&id)?).await.map_err(of_catalogue)?;
    Ok(respond::json(StatusCode::OK, &ProductBody::from(&found)))
}

/// See the categories
///
/// Those that have products, with their numbers, by their names.
#[utoipa::path(
    get, path = "/shop/categories", tag = "catalog", operation_id = "listCategories",
    params(PageParams),
    responses(
        (status = 200, description = "A page of them.", body = Items<CategoryBody>),
        (status = 422, description = "A parameter breaks a rule."),
    )
)]
pub(crate) async fn categories(State(app): State<App>, page: Page) -> Result<Response, Error> {
    let sql = sql(&app);
    let found = Catalogue::new(&sql).categories(page.after().unwrap_or(""), page.limit).await?;
    Ok(respond::json(StatusCode::OK, &page.items(&found, CategoryBody::from, |category| &category.name)))
}
