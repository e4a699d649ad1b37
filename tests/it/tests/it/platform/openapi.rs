//! The API's description, judged by programs that nobody here wrote.

use std::process::Command;

use http::Method;
use serde_json::Value;
use xtask::progress::Progress;
use xtask::{python, workspace};

use crate::harness::TestApp;

/// Requests of a fuzzer for each operation, of every kind together some hundreds.
const EXAMPLES: &str = "10";

#[test]
fn the_description_is_valid() {
    let validator = python::program("openapi-spec-validator", Progress::Quiet).unwrap();
    let file = workspace::root().join("components/site/component/openapi.json");
    let output = Command::new(validator).args(["--subschema-errors", "all"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_description_is_served() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.expect(200);
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let target: Vec<_> =
                path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
            let response = app.call(0, method.clone(), &target.join("/")).await;
            // What is served has another body: its own problem, or that of an earlier system.
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            let is_missing = response.status == 405 && body["error"].is_null()
                || response.status == 404 && (body.is_null() || body["detail"] == "No route has this path.");
            if is_missing && !is_internal(path) {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

/// Routes that `spin.toml` keeps from the outside.
fn is_internal(path: &str) -> bool {
    path.starts_with("/internal/") && !path.starts_with("/internal/jobs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_meets_no_server_error_and_nothing_undescribed_as_a_user() {
    let app = app().await;
    let ada = app.user("ada").await;
    fuzz(&app, &ada.access);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_meets_no_server_error_and_nothing_undescribed_as_an_administrator() {
    let app = app().await;
    let access = app.administrator().await.access.clone();
    fuzz(&app, &access);
}

/// With providers that take everything, and no limit that a fuzzer runs into at once.
async fn app() -> TestApp {
    TestApp::with("free_limit", 1_000_000).start().await
}

fn fuzz(app: &TestApp, access: &str) {
    let fuzzer = python::program("schemathesis", Progress::Quiet).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(fuzzer);
    command.current_dir(folder.path());
    command.arg("run").arg(format!("http://{}/openapi.json", app.addresses()[0]));
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1"]);
    command.args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]);
    command.args(["--checks", "response_schema_conformance", "--continue-on-failure", "--no-color"]);
    command.args(["--warnings", "off", "--suppress-health-check", "all"]);
    // An original says of a bare `OK` that it is JSON, and its clients get it byte for byte; the others end the sessions, or
    // the account, of the fuzzer itself.
    for left_out in
        ["subscriptionServiceIndex", "logOut", "endSessions", "deleteOwnAccount", "changePassword"]
    {
        command.args(["--exclude-operation-id", left_out]);
    }
    command.arg("--header").arg(format!("Authorization: Bearer {access}"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
