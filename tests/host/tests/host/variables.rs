//! Variables, the environment and the clock.

use std::time::Duration;

use octo_host::{Clock, Host};

use super::{guests, host, refused, said};

#[tokio::test(flavor = "multi_thread")]
async fn a_component_sees_its_variables_and_no_others() {
    let host = host().await;
    assert_eq!(said(&host, "variable/greeting", "").await, "hello, world");
    host.set_variable("name", "moon").unwrap();
    assert_eq!(said(&host, "variable/greeting", "").await, "hello, moon");
    assert!(refused(&host, "variable/name", "").await.contains("Undefined"));
    assert!(refused(&host, "variable/Name", "").await.contains("InvalidName"));
    assert!(host.set_variable("other", "x").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_sets_variables_as_on_spin() {
    let environment = [("SPIN_VARIABLE_NAME", "env"), ("NAME", "x")].map(|(n, v)| (n.into(), v.into()));
    let host = Host::builder(guests()).environment(environment).start().await.unwrap();
    assert_eq!(said(&host, "variable/greeting", "").await, "hello, env");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_config_sets_variables() {
    let config = "[[variables_provider]]\ntype = \"static\"\nvalues = { name = \"file\" }";
    let host = Host::builder(guests()).runtime_config(config).start().await.unwrap();
    assert_eq!(said(&host, "variable/greeting", "").await, "hello, file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_stops_the_start() {
    let start = |builder: octo_host::HostBuilder| async move {
        format!("{:#}", builder.start().await.err().unwrap())
    };
    let builder = || Host::builder(guests());
    assert!(start(builder().variable("other", "x")).await.contains("\"other\""));
    assert!(start(builder().variable("extra_host", "http://a/b")).await.contains("extra_host"));
    assert!(start(builder().runtime_config("[key_value_store.a]\ntype = \"x\"")).await.contains('x'));
    let taken = host().await;
    let refusal = start(builder().listen(taken.addr())).await;
    assert!(refusal.contains(&taken.addr().to_string()), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_has_its_own_environment_only() {
    let host = host().await;
    assert_eq!(said(&host, "environment/PROBE", "").await, "set");
    assert!(refused(&host, "environment/PATH", "").await.contains("NotPresent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_sees_the_clock_of_the_host() {
    let clock = Clock::manual(1_700_000_000_123);
    let host = Host::builder(guests()).clock(clock.clone()).start().await.unwrap();
    assert_eq!(said(&host, "time", "").await, "1700000000123");
    clock.advance(Duration::from_secs(60));
    assert_eq!(said(&host, "time", "").await, "1700000060123");
    host.clock().set(5);
    assert_eq!(said(&host, "time", "").await, "5");
}
