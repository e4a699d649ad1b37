//! What customers and administrators do, as scenarios for goose.

use std::time::{Duration, Instant};

use goose::{
    GooseAttack, GooseError,
    goose::{
        GooseMethod, GooseRequest, GooseUser, Scenario, Transaction, TransactionError, TransactionResult,
    },
};
use goose::{scenario, transaction};
use serde_json::{Value, json};

use crate::{SHARED, Shared, shop};

/// A virtual user's account.
#[derive(Clone)]
struct Account {
    username: String,
    password: String,
    token: String,
    since: Instant,
}

/// How long a token is used: it is valid for half an hour.
const USED: Duration = Duration::from_secs(20 * 60);

/// Both kinds of users, nine customers for each administrator.
pub(crate) fn register(attack: GooseAttack) -> Result<GooseAttack, GooseError> {
    let customer = scenario!("Customer")
        .set_weight(9)?
        .register_transaction(transaction!(list).set_weight(6)?)
        .register_transaction(transaction!(search).set_weight(3)?)
        .register_transaction(transaction!(look).set_weight(6)?)
        .register_transaction(transaction!(fill_cart).set_weight(3)?)
        .register_transaction(transaction!(order).set_weight(1)?);
    let administrator = scenario!("Administrator")
        .register_transaction(transaction!(correct_stock).set_weight(1)?)
        .register_transaction(transaction!(see_orders).set_weight(2)?);
    let attack = attack.register_scenario(customer);
    let has_administrator = SHARED.get().is_some_and(|shared| shared.shop.administrator.is_some());
    Ok(if has_administrator { attack.register_scenario(administrator) } else { attack })
}

/// A number below `end`.
fn any(end: usize) -> usize {
    let mut bytes = [0; 8];
    // Without chance it is always the first.
    let _ = getrandom::fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % end.max(1) as u64).unwrap_or(0)
}

fn one(of: &[String]) -> &str {
    of.get(any(of.len())).map_or("", String::as_str)
}

/// What is sent with a request.
enum Body {
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

/// One request of a virtual user, when it is its turn.
struct Sent<'a> {
    method: GooseMethod,
    path: &'a str,
    /// What it is called in goose's own figures.
    name: &'a str,
    token: Option<String>,
    body: Option<Body>,
    /// The statuses that are right.
    right: &'a [u16],
}

async fn send(user: &mut GooseUser, sent: Sent<'_>) -> Result<Value, Box<TransactionError>> {
    let Some(Shared { pace, figures, .. }) = SHARED.get() else { return Ok(Value::Null) };
    if !pace.turn().await {
        return Ok(Value::Null);
    }
    let mut builder = user.get_request_builder(&sent.method, sent.path)?;
    if let Some(token) = sent.token {
        builder = builder.bearer_auth(token);
    }
    builder = match sent.body {
        Some(Body::Json(body)) => builder.json(&body),
        Some(Body::Form(fields)) => builder.form(&fields),
        None => builder,
    };
    let request = GooseRequest::builder()
        .method(sent.method)
        .path(sent.path)
        .name(sent.name)
        .set_request_builder(builder)
        .build();
    let began = Instant::now();
    let response = user.request(request).await?.response;
    let (error, body) = match response {
        Ok(response) => {
            let status = response.status().as_u16();
            let text = response.text().await.unwrap_or_default();
            let wrong = !sent.right.contains(&status);
            (
                wrong.then(|| format!("{}: {status} {text}", sent.name)),
                serde_json::from_str(&text).unwrap_or(Value::Null),
            )
        }
        Err(error) => (Some(format!("{}: {error}", sent.name)), Value::Null),
    };
    figures.note(began.elapsed(), error);
    Ok(body)
}

/// A request that anybody may send.
fn anybody<'a>(path: &'a str, name: &'a str) -> Sent<'a> {
    Sent { method: GooseMethod::Get, path, name, token: None, body: None, right: &[200] }
}

/// The token of the user's account. It is registered and logged in, as the original's clients do, when it is first needed.
async fn token(user: &mut GooseUser) -> Result<Option<String>, Box<TransactionError>> {
    let account = match user.get_session_data::<Account>().cloned() {
        Some(account) if account.since.elapsed() < USED => return Ok(Some(account.token)),
        Some(account) => account,
        None => {
            let Ok(password) = shop::password() else { return Ok(None) };
            let username = format!("shopper-{}", password.get(..10).unwrap_or(""));
            let body = json!({ "username": username, "full_name": "", "phone": "", "password": password });
            let register = Sent {
                method: GooseMethod::Post,
                body: Some(Body::Json(body)),
                ..anybody("/user-api/users/register", "register")
            };
            if send(user, register).await?["username"].is_null() {
                return Ok(None);
            }
            Account { username, password, token: String::new(), since: Instant::now() }
        }
    };
    let form = vec![("username", account.username.clone()), ("password", account.password.clone())];
    let log_in = Sent {
        method: GooseMethod::Post,
        body: Some(Body::Form(form)),
        ..anybody("/user-api/token", "log in")
    };
    let token = send(user, log_in).await?["access_token"].as_str().map(str::to_owned);
    if let Some(token) = &token {
        user.set_session_data(Account { token: token.clone(), since: Instant::now(), ..account });
    }
    Ok(token)
}

async fn list(user: &mut GooseUser) -> TransactionResult {
    let Some(shared) = SHARED.get() else { return Ok(()) };
    let mut category = String::new();
    for byte in one(&shared.shop.categories).bytes() {
        category.push_str(&format!("%{byte:02X}"));
    }
    let sort = ["name", "price"].get(any(2)).copied().unwrap_or("name");
    let path = format!("/api/products/?category={category}&limit=20&skip={}&sort_by={sort}", 20 * any(3));
    send(user, anybody(&path, "list")).await.map(drop)
}

async fn search(user: &mut GooseUser) -> TransactionResult {
    let path = format!("/shop/products?limit=20&q=%D0%A2%D0%9E%D0%92%D0%90%D0%A0%20{}", any(1000));
    send(user, anybody(&path, "search")).await.map(drop)
}

async fn look(user: &mut GooseUser) -> TransactionResult {
    let Some(shared) = SHARED.get() else { return Ok(()) };
    let path = format!("/api/products/{}", one(&shared.shop.products));
    send(user, anybody(&path, "look")).await.map(drop)
}

async fn fill_cart(user: &mut GooseUser) -> TransactionResult {
    let (Some(shared), Some(token)) = (SHARED.get(), token(user).await?) else { return Ok(()) };
    let body = json!({ "product_id": one(&shared.shop.products), "quantity": 1 + any(3) });
    let add = Sent {
        method: GooseMethod::Post,
        token: Some(token.clone()),
        body: Some(Body::Json(body)),
        // A cart that nobody empties is full at last.
        right: &[200, 409],
        ..anybody("/cart-api/cart/items", "add to cart")
    };
    send(user, add).await?;
    let see = Sent { token: Some(token), ..anybody("/cart-api/cart/", "cart") };
    send(user, see).await.map(drop)
}

async fn order(user: &mut GooseUser) -> TransactionResult {
    let Some(token) = token(user).await? else { return Ok(()) };
    let order = Sent {
        method: GooseMethod::Post,
        token: Some(token.clone()),
        // An empty cart, or an administrator who took the last one away.
        right: &[200, 400],
        ..anybody("/user-api/users/me/orders", "order")
    };
    send(user, order).await?;
    let see = Sent { token: Some(token), ..anybody("/user-api/users/me/orders", "orders") };
    send(user, see).await.map(drop)
}

async fn correct_stock(user: &mut GooseUser) -> TransactionResult {
    let Some(shared) = SHARED.get() else { return Ok(()) };
    let path = format!("/shop/products/{}/stock", one(&shared.shop.products));
    let correct = Sent {
        method: GooseMethod::Post,
        token: shared.shop.administrator.clone(),
        body: Some(Body::Json(json!({ "change": 1 + any(9), "reason": "delivered" }))),
        right: &[201],
        ..anybody(&path, "correct stock")
    };
    send(user, correct).await.map(drop)
}

async fn see_orders(user: &mut GooseUser) -> TransactionResult {
    let Some(shared) = SHARED.get() else { return Ok(()) };
    let see =
        Sent { token: shared.shop.administrator.clone(), ..anybody("/shop/orders?limit=20", "all orders") };
    send(user, see).await.map(drop)
}
