use std::{sync::Arc, time::Duration};

use http::Request;
use octo_access::Role;
use octo_account_events::AccountRegistered;
use octo_core::testing::{FakeClock, FakeHttp, ready};
use octo_databases::Sqlite;
use octo_http::{
    App, Response,
    testing::{START, app, open_routes, send, token},
};
use octo_loyalty::{members, schema::NEVER};
use serde_json::{Value, json};

use crate::{API, worker::sql};

const SETTINGS: [(&str, &str); 7] = [
    ("loyalty_registration_points", "100"),
    ("loyalty_points_valid_days", "0"),
    ("loyalty_purchase_points", "1"),
    ("loyalty_purchase_amount", "100.00"),
    ("loyalty_daily_operations", "1000"),
    ("legacy_rules", "off"),
    ("metrics_key", "metrics"),
];

/// Accounts by their numbers, 1 and 2, with 100 points each. The administrator's account, 9, is no member.
const UUIDS: [&str; 2] = ["7c2ab9ec-bddf-43ff-96a5-ff1e0785c901", "7c2ab9ec-bddf-43ff-96a5-ff1e0785c902"];
const ADA: (&str, Role) = ("1", Role::User);
const BOB: (&str, Role) = ("2", Role::User);
const ADMIN: (&str, Role) = ("9", Role::Admin);

fn with_members(settings: &[(&str, &str)]) -> App {
    let mut app = app("loyalty", settings, Sqlite::in_memory());
    // The audit log takes everything.
    let mut http = FakeHttp::default();
    for _ in 0..9 {
        http = http.will(Ok(http::Response::builder().status(204).body(Vec::new()).unwrap()));
    }
    app.http = Arc::new(http);
    for (account_id, uuid) in (1..).zip(UUIDS) {
        let account = AccountRegistered { account_id, uuid: uuid.into(), registered_at: START.0 };
        ready(members::open(&sql(&app), &account, 100, NEVER, START)).unwrap();
    }
    app
}

fn ask(app: &App, authorization: &str, method: &str, target: &str, body: &str, key: &str) -> Response {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in [("authorization", authorization), ("idempotency-key", key)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    send(&API, app, request.body(body.as_bytes().to_vec()).unwrap())
}

/// A response's status and text, to somebody with a token.
fn text(app: &App, who: (&str, Role), method: &str, target: &str, body: &str) -> (u16, String) {
    let response = ask(app, &token(app, who.0, who.1), method, target, body, "");
    (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
}

fn call(app: &App, who: (&str, Role), method: &str, target: &str, body: &Value) -> (u16, Value) {
    call_with_key(app, who, method, target, body, "")
}

fn call_with_key(
    app: &App,
    who: (&str, Role),
    method: &str,
    target: &str,
    body: &Value,
    key: &str,
) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let token = format!("Bearer {}", token(app, who.0, who.1));
    let response = ask(app, &token, method, target, &body, key);
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn get(app: &App, who: (&str, Role), target: &str) -> Value {
    let (status, body) = call(app, who, "GET", target, &Value::Null);
    assert_eq!(status, 200, "{target}: {body}");
    body
}

fn spend(points: i64) -> Value {
    json!({ "points": points, "comment": "coffee" })
}

fn error(text: &str) -> String {
    format!(r#"{{"status":"Error","error":"{text}"}}"#)
}

#[test]
fn what_is_open_to_everybody_is_only_this() {
    // The last two refuse in the original's way, with other statuses than 401.
    let open = ["GET /loyalty/ready", "GET /loyalty/healthz", "GET /loyalty/{uuid}", "POST /loyalty"];
    let found = open_routes(&API, &with_members(&SETTINGS));
    assert!(found.iter().all(|route| open.contains(&route.as_str())), "{found:?}");
    let app = with_members(&SETTINGS);
    assert_eq!(ask(&app, "", "GET", &format!("/loyalty/{}", UUIDS[0]), "", "").status(), 401);
}

#[test]
fn the_originals_exchanges_are_its_own() {
    let app = with_members(&SETTINGS);
    let operation = |who, uuid: &str, operation: &str, balance: i64| {
        let body = json!({"uuid": uuid, "operation": operation, "comment": "coffee", "balance": balance});
        text(&app, who, "POST", "/loyalty", &body.to_string())
    };
    let [ada, bob] = UUIDS;
    let success = |uuid: &str, balance: i64| {
        (200, format!(r#"{{"status":"Success","uuid":"{uuid}","balance":{balance}}}"#))
    };
    let without_points = |uuid: &str| (200, format!(r#"{{"status":"Success","uuid":"{uuid}"}}"#));
    assert_eq!(text(&app, ADA, "GET", &format!("/loyalty/{ada}"), ""), success(ada, 100));
    assert_eq!(operation(ADA, ada, "w", 20), success(ada, 80));
    assert_eq!(
        operation(ADA, bob, "w", 30),
        success(ada, 50),
        "one's own account is meant, whatever is sent"
    );
    assert_eq!(operation(ADMIN, bob, "w", 100), without_points(bob));
    assert_eq!(text(&app, ADMIN, "GET", &format!("/loyalty/{bob}"), ""), without_points(bob));
    assert_eq!(operation(ADMIN, bob, "d", 7), success(bob, 7));
    let negative = error("withdraw such amount of loyalty leads to negative balance");
    assert_eq!(operation(ADA, ada, "w", 51), (400, negative));
    assert_eq!(operation(ADA, ada, "d", 5), (400, error("only admins can deposit loyalty")));
    let nobody = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c999";
    assert_eq!(operation(ADMIN, nobody, "d", 5), (400, error("user not found")));
    assert_eq!(operation(("3", Role::User), ada, "w", 5), (400, error("user not found")));
    // Nobody opens an account with an amount of his choice, and no operation is unknown with 500.
    assert_eq!(operation(("3", Role::User), ada, "registration", 5_000), (400, error("user not found")));
    assert_eq!(operation(ADA, ada, "registration", 5_000), (400, error("field Operation is not valid")));
    for amount in [-5, 3_000_000_000] {
        assert_eq!(operation(ADA, ada, "w", amount), (400, error("field Balance is not valid")));
    }
    assert_eq!(text(&app, ADA, "GET", "/loyalty/7", ""), (405, error("invalid uuid")));
    assert_eq!(text(&app, ADA, "GET", &format!("/loyalty/{bob}"), ""), (404, error("user not found")));
    assert_eq!(text(&app, ADMIN, "GET", &format!("/loyalty/{nobody}"), ""), (404, error("user not found")));
    for path in ["/loyalty/ready", "/loyalty/healthz"] {
        assert_eq!(text(&app, ADA, "GET", path, ""), (200, r#"{"status":"Success"}"#.into()));
    }
    let response = ask(&app, "", "DELETE", "/loyalty", "", "");
    assert_eq!((response.status().as_u16(), response.body().len()), (405, 0));
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(text(&app, ADA, "GET", "/loyalty/a/b", ""), (404, "404 page not found\n".into()));
}

#[test]
fn a_token_counts_with_and_without_its_scheme() {
    let app = with_members(&SETTINGS);
    let body = json!({"uuid": UUIDS[0], "operation": "w", "comment": "c", "balance": 1}).to_string();
    let token = token(&app, "1", Role::User);
    for (authorization, status) in [(token.clone(), 200), (format!("Bearer {token}"), 200)] {
        assert_eq!(ask(&app, &authorization, "POST", "/loyalty/", &body, "").status(), status);
    }
    for authorization in [String::new(), "Bearer".into(), "x.y.z".into(), format!("{token}x")] {
        let refused = ask(&app, &authorization, "POST", "/loyalty", &body, "");
        assert_eq!(
            (refused.status().as_u16(), refused.body().as_slice()),
            (400, error("jwt token invalid").as_bytes())
        );
    }
}

#[test]
fn what_is_wrong_with_a_body_is_told_in_one_text() {
    let app = with_members(&SETTINGS);
    let all = "field UUID is not valid, field Operation is a required field, field Comment is a required field, \
               field Balance is a required field";
    for (body, text) in [
        ("{}", all),
        (r#"{"uuid":"7","operation":"","comment":null,"balance":0}"#, all),
        (r#"{"uuid":7}"#, "failed to decode body"),
        (r#"{"balance":1.5}"#, "failed to decode body"),
        (r#"{"balance":"5"}"#, "failed to decode body"),
        ("[]", "failed to decode body"),
        ("{", "failed to decode body"),
        (
            r#"{"UUID":"7c2ab9ec-bddf-43ff-96a5-ff1e0785c901","Operation":"w","COMMENT":"c"}"#,
            "field Balance is a required field",
        ),
    ] {
        assert_eq!(text_of(&app, body), (400, error(text)), "{body}");
    }
}

fn text_of(app: &App, body: &str) -> (u16, String) {
    text(app, ADA, "POST", "/loyalty", body)
}

#[test]
fn legacy_rules_let_everybody_read_a_balance() {
    let settings = SETTINGS.map(|(name, value)| (name, if name == "legacy_rules" { "on" } else { value }));
    let app = with_members(&settings);
    let response = ask(&app, "", "GET", &format!("/loyalty/{}", UUIDS[1]), "", "");
    let expected = format!(r#"{{"status":"Success","uuid":"{}","balance":100}}"#, UUIDS[1]);
    assert_eq!(response.body().as_slice(), expected.as_bytes());
}

#[test]
fn a_member_spends_sets_aside_and_sees_it() {
    let app = with_members(&SETTINGS);
    let (status, spent) = call_with_key(&app, ADA, "POST", "/points/redemptions", &spend(20), "k");
    assert_eq!((status, &spent["balance"], &spent["change"]), (201, &json!(80), &json!(-20)));
    assert_eq!(
        call_with_key(&app, ADA, "POST", "/points/redemptions", &spend(20), "k"),
        (201, spent.clone())
    );
    let (status, reused) = call_with_key(&app, ADA, "POST", "/points/redemptions", &spend(21), "k");
    assert_eq!((status, &reused["type"]), (422, &json!("urn:octo:problem:idempotency-key-reused")));
    let (status, few) = call(&app, ADA, "POST", "/points/redemptions", &spend(81));
    assert_eq!((status, &few["missing"]), (409, &json!(1)));
    let (status, hold) = call(&app, ADA, "POST", "/points/holds", &json!({"points": 30, "comment": "order"}));
    assert_eq!((status, &hold["settled_by"]), (201, &Value::Null));
    let at = format!("/points/holds/{}", hold["id"]);
    assert_eq!(get(&app, ADA, "/points")["held"], 30);
    assert_eq!(call(&app, BOB, "GET", &at, &Value::Null).0, 404);
    assert_eq!(call(&app, BOB, "POST", &format!("{at}/release"), &Value::Null).0, 404);
    let captured = call(&app, ADA, "POST", &format!("{at}/capture"), &Value::Null);
    assert_eq!((captured.0, &captured.1["kind"]), (200, &json!("capture")));
    assert_eq!(call(&app, ADA, "POST", &format!("{at}/capture"), &Value::Null), captured);
    assert_eq!(call(&app, ADA, "POST", &format!("{at}/release"), &Value::Null).0, 409);
    assert_eq!(get(&app, ADA, &at)["settled_by"], captured.1["id"]);
    let points = get(&app, ADA, "/points");
    assert_eq!(
        (&points["balance"], &points["held"], &points["uuid"]),
        (&json!(50), &json!(0), &json!(UUIDS[0]))
    );
    let history = get(&app, ADA, "/points/history?limit=3");
    let kinds: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["capture", "hold", "redemption"]);
    let next = history["next"].as_str().unwrap();
    assert_eq!(get(&app, ADA, &format!("/points/history?after={next}"))["items"][0]["kind"], "registration");
    let transfer = format!("/points/transfers/{}", spent["id"]);
    assert_eq!(get(&app, ADA, &transfer), spent);
    assert_eq!(call(&app, BOB, "GET", &transfer, &Value::Null).0, 404);
    let (status, wrong) =
        call(&app, ADA, "POST", "/points/redemptions", &json!({"points": 0, "comment": ""}));
    assert_eq!((status, wrong["errors"].as_array().unwrap().len()), (422, 2));
}

#[test]
fn a_key_is_the_same_request_s_at_any_time() {
    let mut app = with_members(&SETTINGS);
    let award = format!("/points/accounts/{}/awards", UUIDS[0]);
    let hold = json!({"points": 5, "comment": "order", "valid_seconds": 60});
    let requests = [
        (ADA, "/points/redemptions", spend(5)),
        (ADA, "/points/holds", hold),
        (ADMIN, award.as_str(), spend(5)),
    ];
    let ask = |app: &App| {
        let send = |(who, path, body): &(_, &str, Value)| call_with_key(app, *who, "POST", path, body, "k");
        requests.iter().map(send).collect::<Vec<_>>()
    };
    let first = ask(&app);
    app.clock = Arc::new(FakeClock::at(START + Duration::from_millis(1_999)));
    assert_eq!(ask(&app), first);
    assert!(first.iter().all(|(status, _)| *status == 201), "{first:?}");
    assert_eq!(get(&app, ADA, "/points")["balance"], 95);
}

#[test]
fn administrators_give_correct_and_take_back() {
    let app = with_members(&SETTINGS);
    let at = |rest: &str| format!("/points/accounts/{}{rest}", UUIDS[0]);
    for (method, path) in
        [("POST", at("/awards")), ("POST", at("/adjustments")), ("GET", at("")), ("GET", at("/history"))]
    {
        let body = if method == "POST" { spend(5) } else { Value::Null };
        assert_eq!(call(&app, ADA, method, &path, &body).0, 403, "{path}");
    }
    let (_, award) = call(&app, ADMIN, "POST", &at("/awards"), &spend(50));
    assert_eq!((&award["balance"], &award["source"]), (&json!(150), &json!("issued")));
    let correct = |points: i64| {
        call(&app, ADMIN, "POST", &at("/adjustments"), &json!({"points": points, "reason": "counted twice"}))
    };
    assert_eq!(correct(-130).1["balance"], 20);
    assert_eq!((correct(-21).0, correct(0).0), (409, 422));
    let reversal = format!("/points/transfers/{}/reversal", award["id"]);
    let reason = json!({"reason": "a mistake"});
    let (status, refused) = call(&app, ADMIN, "POST", &reversal, &reason);
    assert_eq!((status, &refused["missing"]), (409, &json!(30)));
    assert_eq!(correct(7).1["balance"], 27);
    assert_eq!(call(&app, ADA, "POST", &reversal, &reason).0, 403);
    assert_eq!(get(&app, ADMIN, &at(""))["balance"], 27);
    assert_eq!(get(&app, ADMIN, "/points/accounts")["items"].as_array().unwrap().len(), 2);
    let one = get(&app, ADMIN, &format!("/points/accounts?uuid={}", UUIDS[1]));
    assert_eq!(one["items"][0]["account_id"], 2);
    let check = get(&app, ADMIN, "/points/check");
    assert_eq!((&check["balanced"], &check["total"]), (&json!(true), &json!(0)));
    assert_eq!(call(&app, ADA, "GET", "/points/check", &Value::Null).0, 403);
    let metrics = ask(&app, "Bearer metrics", "GET", "/metrics/loyalty", "", "");
    let metrics = String::from_utf8(metrics.into_body()).unwrap();
    for line in [r#"octo_points{account="member"} 127"#, "octo_points_sum 0", "octo_points_lots_overdue 0"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn without_its_entry_in_the_audit_log_nothing_is_given() {
    let mut app = with_members(&SETTINGS);
    app.http = Arc::new(FakeHttp::default());
    let at = format!("/points/accounts/{}/awards", UUIDS[0]);
    assert_eq!(call(&app, ADMIN, "POST", &at, &spend(50)).0, 503);
    assert_eq!(get(&app, ADA, "/points")["balance"], 100);
}

#[test]
fn a_statement_is_json_or_csv_and_its_owners() {
    let app = with_members(&SETTINGS);
    let formula = json!({"points": 5, "comment": "=1+1, \"x\""});
    assert_eq!(call(&app, ADA, "POST", "/points/redemptions", &formula).0, 201);
    let at = format!("/loyalty/accounts/{}/statement", UUIDS[0]);
    let statement = get(&app, ADA, &at);
    let (opening, closing) = (&statement["opening"], &statement["closing"]);
    assert_eq!((opening, closing, statement["items"].as_array().unwrap().len()), (&json!(0), &json!(95), 2));
    assert_eq!(call(&app, BOB, "GET", &at, &Value::Null).0, 404);
    assert_eq!(call(&app, ADMIN, "GET", &at, &Value::Null).0, 200);
    for (query, status) in
        [("?from=2027-01-16", 422), ("?to=x", 422), ("?to=2020-01-01", 200), ("?limit=0", 422)]
    {
        assert_eq!(call(&app, ADA, "GET", &format!("{at}{query}"), &Value::Null).0, status, "{query}");
    }
    let token = token(&app, "1", Role::User);
    let request =
        Request::get(&at).header("authorization", format!("Bearer {token}")).header("accept", "text/csv");
    let csv = send(&API, &app, request.body(Vec::new()).unwrap());
    assert_eq!(csv.headers()["content-type"], "text/csv; charset=utf-8");
    let text = String::from_utf8(csv.into_body()).unwrap();
    let lines: Vec<_> = text.split("\r\n").collect();
    assert_eq!(lines[0], "id,at,kind,change,balance,comment");
    assert!(lines[2].ends_with(",redemption,-5,95,\"'=1+1, \"\"x\"\"\""), "{text}");
}

#[test]
fn the_first_request_of_a_new_account_hears_of_it_itself() {
    let app = with_members(&SETTINGS);
    let uuid = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c903";
    let args = json!({"account_id": 3, "uuid": uuid, "registered_at": START.0}).to_string();
    let statement = "INSERT INTO jobs (queue, kind, args, visible_at, created_at)
        VALUES ('loyalty/account-events', 'account-registered/1', $1, $2, $2)";
    ready(octo_core::Sql::query(&sql(&app), statement, &[args.into(), START.into()])).unwrap();
    assert_eq!(get(&app, ("3", Role::User), "/points")["balance"], 100);
    assert_eq!(call(&app, ("4", Role::User), "GET", "/points", &Value::Null).0, 404);
}
