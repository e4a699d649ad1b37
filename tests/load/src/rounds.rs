//! Measuring: every scenario once a round, so that a slow moment of the machine hits all of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::cpu;
use crate::deployment::{Deployment, Scenario};
use crate::jobs;
use crate::load::{Load, Outcome};
use crate::on_spin;
use crate::options::Options;
use crate::parcels;
use crate::points;
use crate::report::{Domains, Measurement, Report};
use crate::shop;

/// Runs the whole benchmark and prints its report.
pub(crate) fn measure(options: &Options) -> anyhow::Result<()> {
    // The host gets a multi-threaded runtime, as its own binary does.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measurements = runtime.block_on(all_rounds(options))?;
    let only = options.only.as_deref();
    let domains = Domains {
        jobs: (!options.floors && !options.spin && only.is_none_or(|only| only == jobs::NAME))
            .then(|| jobs::measure(options))
            .transpose()?,
        parcels: (only == Some(parcels::NAME)).then(|| parcels::measure(options)).transpose()?,
        points: (only == Some(points::NAME)).then(|| points::measure(options)).transpose()?,
        shop: (only == Some(shop::NAME)).then(|| shop::measure(options)).transpose()?,
    };
    let report = Report::new(options, measurements, domains);
    print!("{report}");
    if let Some(path) = &options.out {
        write(path, &report)?;
    }
    Ok(())
}

async fn all_rounds(options: &Options) -> anyhow::Result<Vec<Measurement>> {
    if [jobs::NAME, parcels::NAME, points::NAME, shop::NAME].map(Some).contains(&options.only.as_deref()) {
        return Ok(Vec::new());
    }
    let deployment = if options.spin {
        on_spin::deployment(options).await?
    } else {
        let mut deployment = Deployment::floors().await?;
        if !options.floors {
            deployment.add_messages().await?;
        }
        deployment
    };
    let mut measurements = Vec::new();
    for round in 1..=options.rounds {
        let wanted = |it: &&Scenario| options.only.as_ref().is_none_or(|only| *only == it.name);
        for scenario in deployment.scenarios().iter().filter(wanted) {
            eprintln!("round {round} of {}: {}", options.rounds, scenario.title);
            // Together, and one message at a time: without others to wait for, what takes its time shows.
            for connections in BTreeSet::from([1, options.connections]) {
                let measurement = one(round, scenario, connections, options)
                    .await
                    .with_context(|| format!("in round {round} of `{}`", scenario.name))?;
                measurements.push(measurement);
            }
        }
    }
    deployment.stop().await;
    Ok(measurements)
}

async fn one(
    round: usize,
    scenario: &Scenario,
    connections: usize,
    options: &Options,
) -> anyhow::Result<Measurement> {
    let load =
        Load { connections, warm_up: options.warm_up, duration: options.duration, ..scenario.load.clone() };
    scenario.forget_usage();
    let cpu_before = cpu::used();
    let outcome = tokio::task::spawn_blocking(move || drive(&load)).await??;
    let cpu = cpu::used().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    if let Some(failure) = &outcome.first_failure {
        bail!("{} of {} requests failed; the first: {failure}", outcome.failures, outcome.requests);
    }
    if outcome.answers == 0 {
        bail!("not one request was answered in the measured time");
    }
    let usage = scenario.usage().per(outcome.requests);
    let cpu_us = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / outcome.requests as f64);
    let (scenario, title) = (scenario.name.clone(), scenario.title.clone());
    Ok(Measurement { round, scenario, title, connections, cpu_us, usage, outcome })
}

/// Hands a load to this program in a process of its own.
fn drive(load: &Load) -> anyhow::Result<Outcome> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut child = Command::new(program)
        .arg("drive")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the load generator")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&serde_json::to_vec(load)?)?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("the load generator failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the load generator's answer cannot be read")
}

fn write(path: &Path, report: &Report) -> anyhow::Result<()> {
    let mut json = serde_json::to_string_pretty(report)?;
    json.push('\n');
    fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
}
