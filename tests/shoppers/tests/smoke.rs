//! The program as it is run for CI, against the built components.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use octo_host::{App, Host};
use xtask::workspace;

const KEY: &str = "the key of the metrics";
const SECRET: &str = "a secret that makes the first administrator";

#[tokio::test(flavor = "multi_thread")]
async fn customers_meet_no_error_and_octo_counts_as_many_requests_as_they_send() {
    let app = App::load(&workspace::root().join("spin.toml")).unwrap();
    let builder = Host::builder(&app).variable("metrics_key", KEY).variable("request_metrics_sample", "1");
    let host = builder.variable("bootstrap_secret", SECRET).start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let mut shoppers = Command::new(env!("CARGO_BIN_EXE_octo-shoppers"));
    shoppers.args(["--host", &format!("http://{}", host.addr()), "--headless", "smoke", "--products", "100"]);
    shoppers.args(["--users", "10", "--metrics-key", KEY, "--bootstrap-secret"]).arg(&secret);
    let output = tokio::task::spawn_blocking(move || shoppers.output().unwrap()).await.unwrap();
    let [out, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let told = format!("{out}{errors}");
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Octo's metrics counted"), "{told}");
    host.stop().await;
}
