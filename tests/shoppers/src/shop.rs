//! The shop as virtual users find it: products, and an administrator.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::options::Options;

/// The categories of what is imported: the original's.
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

/// Products that virtual users choose from.
const CHOICE: usize = 1000;

/// What virtual users know of the shop.
pub(crate) struct Shop {
    /// Ids of products.
    pub(crate) products: Vec<String>,
    /// Names of categories.
    pub(crate) categories: Vec<String>,
    /// An access token of an administrator.
    pub(crate) administrator: Option<String>,
}

/// A password that is nobody else's.
pub(crate) fn password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn told(response: Response) -> anyhow::Result<Value> {
    let (status, url) = (response.status(), response.url().path().to_owned());
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{url} answers {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("{url} answers no JSON"))
}

impl Shop {
    /// Sees to it that there are products and, if it can be had, an administrator.
    pub(crate) async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let client = Client::new();
        let administrator = match &options.token {
            Some(token) => Some(token.clone()),
            None => first_administrator(&client, options).await?,
        };
        let categories = async || {
            let found = told(client.get(format!("{}/shop/categories", options.host)).send().await?).await?;
            let items = found["items"].as_array().cloned().unwrap_or_default();
            anyhow::Ok(items)
        };
        let number = |items: &[Value]| items.iter().filter_map(|item| item["products"].as_u64()).sum::<u64>();
        let there = usize::try_from(number(&categories().await?)).unwrap_or(usize::MAX);
        if there < options.products {
            let token = administrator.as_deref().with_context(|| {
                format!("the shop has {there} products, and nobody may add more: give a --token of an administrator")
            })?;
            import(&client, options, token, options.products - there).await?;
        }
        let names = categories().await?;
        let names = names.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)).collect();
        Ok(Self { products: products(&client, options).await?, categories: names, administrator })
    }
}

/// Makes an account, and the first administrator of it, where the secret for that is to be had and there is none yet.
async fn first_administrator(client: &Client, options: &Options) -> anyhow::Result<Option<String>> {
    let Ok(secret) = std::fs::read_to_string(&options.bootstrap_secret) else { return Ok(None) };
    let (host, password) = (&options.host, password()?);
    let email = format!("load-{}@example.com", password.get(..8).unwrap_or(""));
    let account = json!({ "email": email, "password": password });
    told(client.post(format!("{host}/auth/register")).json(&account).send().await?).await?;
    let made = client
        .post(format!("{host}/auth/administrators"))
        .bearer_auth(secret.trim())
        .json(&json!({ "email": email }))
        .send()
        .await?;
    if !made.status().is_success() {
        eprintln!("There is an administrator already; without a --token of one there are only customers.");
        return Ok(None);
    }
    let tokens = told(client.post(format!("{host}/auth/login")).json(&account).send().await?).await?;
    Ok(tokens["access_token"].as_str().map(str::to_owned))
}

async fn import(client: &Client, options: &Options, token: &str, number: usize) -> anyhow::Result<()> {
    let mut lines = String::new();
    for index in 0..number {
        let category = CATEGORIES.get(index % CATEGORIES.len()).copied().unwrap_or("");
        let product = json!({
            "name": format!("Товар {index}"), "category": category, "price": format!("{}.{:02}", 10 + index % 990, index % 100),
            "stock": 1_000_000, "description": format!("серия {}", index / 20), "manufacturer": "ООО «Ромашка»",
        });
        lines.push_str(&product.to_string());
        lines.push('\n');
    }
    let began = std::time::Instant::now();
    let begin = client.post(format!("{}/shop/imports", options.host)).bearer_auth(token);
    let begin = begin.header("content-type", "application/x-ndjson").body(lines);
    let import = told(begin.send().await?).await?;
    let id = import["id"].as_str().context("the import has no id")?.to_owned();
    loop {
        let progress = client.get(format!("{}/shop/imports/{id}", options.host)).bearer_auth(token);
        let progress = told(progress.send().await?).await?;
        if progress["state"] == "done" {
            break;
        }
        if began.elapsed() > Duration::from_secs(300) {
            bail!("the import has not ended: {progress}. Is the scheduler of the jobs running?");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eprintln!("{number} products imported in {:.1} s.", began.elapsed().as_secs_f64());
    Ok(())
}

async fn products(client: &Client, options: &Options) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    let mut after = String::new();
    while ids.len() < CHOICE {
        let page = client.get(format!("{}/shop/products?in_stock=true{after}", options.host)).send().await?;
        let page = told(page).await?;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        ids.extend(items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    if ids.is_empty() { bail!("the shop has no products") } else { Ok(ids) }
}
