use octo_core::{
    Sql, UnixMillis,
    sql::{Migrated, Schema},
    testing::{FakeClock, FakeEntropy, FakeHttp, FakeSettings, ready},
};
use octo_databases::{Shared, on_both};
use octo_jobs::Drained;
use serde_json::{Value, json};

use crate::{Config, Secret, Webhooks, switch};

const TABLES: &[&Schema] = &[&octo_jobs::SCHEMA];
const NOW: UnixMillis = UnixMillis(1_614_265_330_000);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn config(secret: &str) -> Config {
    let settings =
        [("webhook_origin", "https://hooks.example"), ("webhook_path", "/octo"), ("webhook_secret", secret)];
    Config::read(&FakeSettings::of(&settings)).unwrap()
}

#[test]
fn a_signature_is_the_standards() {
    // The example of the specification.
    let secret = Secret::parse(SECRET).unwrap();
    let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, r#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(format!("{secret:?}"), "Secret");
    for text in ["", "whsec_", "whsec_YWJj", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!"] {
        assert_eq!(Secret::parse(text), None, "{text}");
    }
}

/// What a system's trigger does.
fn happen(sql: &impl Sql, number: i64) {
    let statement = "INSERT INTO jobs (queue, kind, args, correlation_id, visible_at, created_at)
        SELECT consumer.queue, 'public-event/1', $1, $2, $3, $3 FROM public_event_consumers consumer";
    let event = json!({ "type": "points.changed", "at": NOW.0, "data": { "points": number } }).to_string();
    let id = format!("points.changed/{number}");
    ready(sql.query(statement, &[event.into(), id.into(), NOW.into()])).unwrap();
}

fn drain(shared: &Shared, http: &FakeHttp, config: &Config, now: UnixMillis) -> Drained {
    let connection = shared.connect();
    let sql = Migrated::new(&connection, TABLES);
    let (clock, entropy) = (FakeClock::at(now), FakeEntropy::default());
    ready(switch::set(&sql, config.secret.is_some())).unwrap();
    let webhooks = Webhooks { http, clock: &clock, config };
    let until = now + std::time::Duration::from_secs(60);
    ready(webhooks.jobs().performer(&sql, &clock, &entropy).drain(until)).unwrap()
}

fn responding(statuses: &[u16]) -> FakeHttp {
    statuses.iter().fold(FakeHttp::default(), |http, status| {
        http.will(Ok(http::Response::builder().status(*status).body(Vec::new()).unwrap()))
    })
}

#[test]
fn an_event_is_sent_signed_until_it_is_taken_under_one_id() {
    on_both(|shared| {
        let http = responding(&[500, 302, 204]);
        let config = config(SECRET);
        assert_eq!(drain(shared, &http, &config, NOW), Drained::default());
        happen(&shared.connect(), 1);
        let later = |number: u64| NOW + std::time::Duration::from_secs(number * 1_000);
        for (number, performed) in [(0, 0), (1, 0), (2, 1), (3, 0)] {
            assert_eq!(drain(shared, &http, &config, later(number)).performed, performed, "{number}");
        }
        let requests = http.requests.borrow();
        assert_eq!(requests.len(), 3);
        for (number, request) in (0..).zip(requests.iter()) {
            assert_eq!(
                (request.method().as_str(), request.uri().to_string()),
                ("POST", "https://hooks.example/octo".into())
            );
            assert_eq!(request.headers()["webhook-id"], "points.changed/1");
            let sent = later(number);
            assert_eq!(request.headers()["webhook-timestamp"], sent.as_secs().to_string().as_str());
            let body = std::str::from_utf8(request.body()).unwrap();
            let signature = Secret::parse(SECRET).unwrap().sign("points.changed/1", sent, body);
            assert_eq!(request.headers()["webhook-signature"], signature.as_str());
            let body: Value = serde_json::from_str(body).unwrap();
            let timestamp = "2021-02-25T15:02:10.000Z";
            assert_eq!(
                body,
                json!({ "type": "points.changed", "timestamp": timestamp, "data": { "points": 1 } })
            );
        }
    });
}

#[test]
fn nothing_is_written_while_nobody_hears_and_what_waits_is_dropped_then() {
    on_both(|shared| {
        let (on, off) = (config(SECRET), config(""));
        let http = responding(&[410]);
        drain(shared, &http, &off, NOW);
        happen(&shared.connect(), 1);
        assert_eq!(drain(shared, &http, &on, NOW), Drained::default());
        happen(&shared.connect(), 2);
        let gone = drain(shared, &http, &on, NOW);
        assert_eq!((gone.performed, gone.failed), (0, 1), "410 is final");
        happen(&shared.connect(), 3);
        assert_eq!(drain(shared, &http, &off, NOW).performed, 1);
        assert_eq!(http.requests.borrow().len(), 1);
    });
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let right = [("webhook_origin", "https://hooks.example"), ("webhook_path", "/"), ("webhook_secret", "")];
    for (name, value) in [
        ("webhook_origin", "hooks.example"),
        ("webhook_origin", "https://a/b"),
        ("webhook_path", "x"),
        ("webhook_secret", "abc"),
    ] {
        let settings = right.map(|(known, usual)| (known, if known == name { value } else { usual }));
        let error = Config::read(&FakeSettings::of(&settings)).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert!(name != "webhook_secret" || !error.contains(value), "a secret is not told: {error}");
    }
}
