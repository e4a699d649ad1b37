//! Alerts and dashboards (`deploy/observability`), judged by Prometheus itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use xtask::progress::Progress;
use xtask::servers::Prometheus;
use xtask::{machine, workspace};

use crate::harness::{Call, TestApp};

const KEY: &str = "the key of the metrics";

fn deployed() -> PathBuf {
    workspace::root().join("deploy/observability")
}

/// The configuration as it is deployed, with the key in `folder` and these targets.
fn configuration(folder: &Path, target: &str) -> String {
    let key = folder.join("metrics_key");
    fs::write(&key, KEY).unwrap();
    let text = fs::read_to_string(deployed().join("prometheus.yml")).unwrap();
    text.replace("/etc/prometheus/metrics_key", key.to_str().unwrap())
        .replace("nginx:80", target)
        .replace("- alerts.yml", &format!("- {}", deployed().join("alerts.yml").display()))
        .replace("scrape_interval: 10s", "scrape_interval: 1s")
        .replace("evaluation_interval: 10s", "evaluation_interval: 1s")
}

#[track_caller]
fn promtool(arguments: &[&str]) {
    machine::ensure(&[machine::PROMETHEUS], Progress::Quiet).unwrap();
    let output = Command::new("promtool").args(arguments).current_dir(deployed()).output().unwrap();
    let told = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "promtool {arguments:?}: {told:?}");
}

#[test]
fn the_rules_are_valid_and_each_alert_fires_when_it_should() {
    let own = tempfile::tempdir().unwrap();
    let file = own.path().join("prometheus.yml");
    fs::write(&file, configuration(own.path(), "127.0.0.1:3000")).unwrap();
    promtool(&["check", "config", file.to_str().unwrap()]);
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts.test.yml"]);
}

/// The queries of all panels, with what Grafana puts into them.
fn queries() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in fs::read_dir(deployed().join("grafana/dashboards")).unwrap() {
        let path = file.unwrap().path();
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().unwrap();
                let query = query.replace("$__rate_interval", "1m").replace("$__range", "1h");
                found.push((format!("{}: {}", path.display(), panel["title"]), query));
            }
        }
    }
    found
}

/// The names of figures in a query: words that begin as ours do, or the original's.
fn figures(query: &str) -> BTreeSet<String> {
    let starts = ["octo_", "http_request", "orders_", "cart_", "checkouts_", "products_", "users_"];
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| starts.iter().any(|start| word.starts_with(start))).map(str::to_owned).collect()
}

async fn ask(prometheus: &Prometheus, path: &str) -> Value {
    let mut answer = Call::new(prometheus.address(), Method::GET, path).await;
    // Connections are taken before queries are.
    while answer.status == 503 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = Call::new(prometheus.address(), Method::GET, path).await;
    }
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_asks_for_figures_that_there_are() {
    let app = TestApp::with("metrics_key", KEY).with("request_metrics_sample", 1).start().await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    ada.send("hello").await.expect(200);
    let new = json!({ "name": "Молоко", "category": "Чай", "price": "10", "stock": 5 });
    let milk = root.call(Method::POST, "/shop/products").json(&new).await.expect(201)["id"].clone();
    for _ in 0..3 {
        ada.call(Method::POST, "/shop/cart/items").json(&json!({ "product_id": milk })).await.expect(200);
        ada.call(Method::POST, "/shop/checkout").await.expect(201);
        ada.call(Method::GET, "/shop/orders").await.expect(200);
        app.get("/api/products/categories/list").await.expect(200);
    }
    app.quiet().await;
    let own = tempfile::tempdir().unwrap();
    let target = app.addresses()[0].to_string();
    let prometheus = Prometheus::start(&configuration(own.path(), &target)).unwrap();
    let mut looks = 0;
    let known = loop {
        let up = ask(&prometheus, "/api/v1/query?query=sum(up)").await;
        if up["data"]["result"][0]["value"][1] == "7" {
            break ask(&prometheus, "/api/v1/label/__name__/values").await;
        }
        looks += 1;
        assert!(looks < 300, "Prometheus does not reach all metrics: {up}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let known: BTreeSet<&str> =
        known["data"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut wrong = Vec::new();
    for (panel, query) in queries() {
        let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = ask(&prometheus, &format!("/api/v1/query?query={encoded}")).await;
        if answer["status"] != "success" {
            wrong.push(format!("{panel}: {query}: {}", answer["error"]));
        }
        for name in figures(&query).iter().filter(|name| !known.contains(name.as_str())) {
            wrong.push(format!("{panel}: there is no figure {name}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rules = ask(&prometheus, "/api/v1/rules").await;
    let groups = rules["data"]["groups"].as_array().unwrap();
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        assert_eq!(rule["lastError"], Value::Null, "{rule}");
    }
}
