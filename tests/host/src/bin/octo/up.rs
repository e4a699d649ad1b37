//! Running on the small host.

use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{Request, StatusCode};
use octo_host::{App, Host};
use tokio::signal::unix::{SignalKind, signal};
use xtask::progress::{Progress, Steps};
use xtask::workspace::root;

use crate::arguments::Settings;
use crate::scheduler::Scheduler;
use crate::secret::{self, Secret};
use crate::welcome;

/// The application, in the project's folder.
pub(crate) const MANIFEST: &str = "spin.toml";

/// Builds, starts, and serves until Ctrl-C.
pub(crate) fn run(settings: Settings) -> Result<()> {
    let mut steps = Steps::new(if settings.skip_build { 2 } else { 3 });
    if !settings.skip_build {
        steps.run("Building the components", || xtask::build::components(Progress::Shown))?;
    }
    let app = steps.run("Loading the components", || App::load(&root().join(MANIFEST)))?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    let declared = app.manifest().variables.contains_key(secret::VARIABLE);
    let secret = secret::find_or_make(&settings, declared, &state_dir(&settings))?;
    let scheduler = Scheduler::new(&settings)?;
    let host =
        steps.run("Starting", || runtime.block_on(start(&app, &settings, secret.as_ref(), &scheduler)))?;
    print!("{}", welcome::text(&host, secret.as_ref()));
    if let Some(notice) = runtime.block_on(notice(&host)) {
        eprintln!("{notice}\n");
    }
    runtime.block_on(serve(host, &scheduler))
}

/// Where the databases are kept.
pub(crate) fn state_dir(settings: &Settings) -> PathBuf {
    settings.state_dir.clone().unwrap_or_else(|| root().join(".octo"))
}

async fn start(
    app: &App,
    settings: &Settings,
    secret: Option<&Secret>,
    scheduler: &Scheduler,
) -> Result<Host> {
    let mut builder = Host::builder(app)
        .strict()
        .environment(std::env::vars())
        .environment(secret.map(|secret| (secret::ENVIRONMENT.to_owned(), secret.value.clone())))
        .environment([scheduler.variable()])
        .state_dir(state_dir(settings))
        .listen(settings.listen)
        .log_sink(welcome::say);
    for (name, value) in &settings.variables {
        builder = builder.variable(name, value);
    }
    if let Some(file) = &settings.runtime_config_file {
        builder = builder.runtime_config_file(file);
    }
    let host = builder.start().await.map_err(|error| match error.downcast_ref::<std::io::Error>() {
        Some(cause) if cause.kind() == ErrorKind::AddrInUse => anyhow!(
            "{} is in use by another program; choose another port, such as --listen {}:{}",
            settings.listen,
            settings.listen.ip(),
            settings.listen.port().wrapping_add(1).max(1024)
        ),
        _ => error,
    })?;
    check_settings(&host).await?;
    Ok(host)
}

/// Has each component check its variables, so that a mistake shows now and not at the first request.
async fn check_settings(host: &Host) -> Result<()> {
    for component in host.app().manifest().components.keys() {
        let request = Request::get("/internal/settings").body(Bytes::new())?;
        let response = host.call(component, request).await?;
        if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
            let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
            let reason = problem.get("detail").and_then(|detail| detail.as_str());
            bail!("{component} cannot work with these settings: {}", reason.unwrap_or("the log says why"))
        }
    }
    Ok(())
}

/// What the operator should know of the accounts there are. Silence when sign-on cannot say: it says why to anyone who
/// logs in.
async fn notice(host: &Host) -> Option<String> {
    host.app().manifest().components.get("auth")?;
    let request = Request::get("/internal/settings").body(Bytes::new()).ok()?;
    let answer = host.call("auth", request).await.ok()?;
    let told: serde_json::Value = serde_json::from_slice(answer.body()).ok()?;
    let number = told.get("administrators_without_right")?.as_i64().filter(|number| *number > 0)?;
    Some(format!(
        "Note: legacy_rules is off. {number} account(s) that it made administrators by their user name have no such \
         right now, and a password that may not be chosen logs nobody in (docs/COMPATIBILITY.md)."
    ))
}

async fn serve(host: Host, scheduler: &Scheduler) -> Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
        () = scheduler.run(&host) => {}
    }
    eprintln!("\nStopping; requests in progress may finish. Ctrl-C again stops at once.");
    tokio::select! {
        () = host.stop() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}
