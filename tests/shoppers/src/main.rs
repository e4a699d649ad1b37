//! Virtual customers and administrators of the shop.
//!
//! Customers look at categories, search, look at products, fill carts and order; administrators correct the stock and look at
//! orders. [goose] runs them; how many requests they send in a second is set from outside, at any time:
//!
//! - by a person, on the page that this program serves: start, stop, change the rate, and see rate, p50, p99 and errors as
//!   they come;
//! - by a profile (`--headless smoke`), for CI: at the end it compares what it sent with what Octo's metrics say, and
//!   fails when requests failed or the two differ by more than 2 %.

// A load tester measures real time; the ban is for the code that ships.
#![allow(clippy::disallowed_methods)]
// A member of JSON that is not there is null.
#![allow(clippy::indexing_slicing)]

mod customers;
mod figures;
mod metrics;
mod options;
mod pace;
mod page;
mod profile;
mod shop;

use std::{process::ExitCode, sync::OnceLock, time::Duration};

use anyhow::{Context, bail};
use goose::{GooseAttack, config::GooseConfiguration};

use crate::{figures::Figures, options::Options, pace::Pace, shop::Shop};

/// What all virtual users share.
struct Shared {
    shop: Shop,
    pace: Pace,
    figures: Figures,
}

static SHARED: OnceLock<Shared> = OnceLock::new();

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let Some(options) = Options::from_env()? else {
        print!("{}", options::HELP);
        return Ok(());
    };
    eprintln!("Preparing the shop at {} ...", options.host);
    let shop = Shop::prepare(&options).await?;
    eprintln!("{} products to choose from.", shop.products.len());
    let shared = SHARED.get_or_init(|| Shared { shop, pace: Pace::default(), figures: Figures::default() });
    match options.profile {
        Some(profile) => headless(&options, shared, profile).await,
        None => with_page(&options, shared).await,
    }
}

/// The virtual users, for so long; `None` until the program ends.
// The configuration has private members, so there is no other way to make one.
#[allow(clippy::field_reassign_with_default)]
async fn attack(options: &Options, time: Option<Duration>) -> anyhow::Result<()> {
    let mut config = GooseConfiguration::default();
    config.host = options.host.clone();
    config.users = Some(options.users);
    config.hatch_rate = Some("20".to_owned());
    config.run_time = time.map(|time| time.as_secs().to_string()).unwrap_or_default();
    config.quiet = 2;
    (config.no_telnet, config.no_websocket) = (true, true);
    (config.no_print_metrics, config.no_gzip) = (true, true);
    let attack = GooseAttack::initialize_with_config(config)?;
    customers::register(attack)?.execute().await?;
    Ok(())
}

async fn with_page(options: &Options, shared: &'static Shared) -> anyhow::Result<()> {
    let page = page::serve(options.page, shared).await?;
    println!("Open http://127.0.0.1:{} to start the customers. End with Ctrl-C.", options.page);
    tokio::select! {
        ended = attack(options, None) => ended,
        ended = page => ended.context("the page ended")?,
    }
}

async fn headless(
    options: &Options,
    shared: &'static Shared,
    profile: profile::Profile,
) -> anyhow::Result<()> {
    let before = metrics::requests(options).await?;
    // Users log in first; the last ones end after the last stage.
    let time = profile.duration() + Duration::from_secs(2);
    let stages = tokio::spawn(profile::follow(profile, shared));
    attack(options, Some(time)).await?;
    stages.await?;
    let sent = shared.figures.since_start();
    println!("{sent}");
    if sent.errors > 0 {
        bail!(
            "{} of {} requests failed; the first: {}",
            sent.errors,
            sent.requests,
            shared.figures.first_error()
        );
    }
    let Some(before) = before else { return Ok(()) };
    // What is counted is written after the response.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = metrics::requests(options).await?.context("Octo's metrics are gone")?;
    let counted = after - before;
    let difference = (counted - sent.requests as f64).abs() / (sent.requests as f64).max(1.0);
    println!("Octo's metrics counted {counted} requests: a difference of {:.2} %.", difference * 100.0);
    if difference > 0.02 {
        bail!("the figures of Octo and of this program differ by more than 2 %");
    }
    Ok(())
}
