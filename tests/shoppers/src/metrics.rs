//! What Octo itself says of the requests that it had.

use anyhow::{Context, bail};

use crate::options::Options;

/// The services that virtual users send requests to.
const PATHS: [&str; 4] = ["/api/metrics", "/cart-api/metrics", "/order-api/metrics", "/user-api/metrics"];

/// Routes that count requests which are not a virtual user's.
const OTHERS: [&str; 3] = ["metrics", "/internal/", "/shop/imports"];

/// How many requests Octo has counted; `None` when nobody says how to ask.
pub(crate) async fn requests(options: &Options) -> anyhow::Result<Option<f64>> {
    let Some(key) = &options.metrics_key else { return Ok(None) };
    let mut sum = 0.0;
    for path in PATHS {
        let response =
            reqwest::Client::new().get(format!("{}{path}", options.host)).bearer_auth(key).send().await?;
        if !response.status().is_success() {
            bail!("{path} answers {}", response.status());
        }
        let text = response.text().await?;
        let counted = text.lines().filter(|line| line.starts_with("http_requests_total{"));
        for line in counted.filter(|line| !OTHERS.iter().any(|other| line.contains(other))) {
            let value = line.rsplit(' ').next().context("a sample without a value")?;
            sum += value.parse::<f64>().with_context(|| format!("not a number: {line}"))?;
        }
    }
    Ok(Some(sum))
}
