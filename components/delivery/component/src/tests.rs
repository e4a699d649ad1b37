use std::sync::Arc;

use http::{Request, StatusCode};
use octo_access::Role;
use octo_core::testing::{FakeHttp, ready};
use octo_databases::Sqlite;
use octo_http::{
    App, Response,
    testing::{app, open_routes, send, token},
};
use serde_json::{Value, json};

use crate::API;

const SETTINGS: [(&str, &str); 8] = [
    ("parcels_daily_per_client", "20"),
    ("trusted_proxies", "0"),
    ("delivery_rate_origin", "https://bank.example"),
    ("delivery_rate_path", "/daily_json.js"),
    ("delivery_rate_refresh_seconds", "3600"),
    ("delivery_rate_max_days", "14"),
    ("delivery_host_url", "http://localhost:8000/"),
    ("metrics_key", "metrics"),
];

const DAILY: &str =
    r#"{"Date":"2027-01-15T11:30:00+03:00","Valute":{"USD":{"CharCode":"USD","Nominal":1,"Value":84.004}}}"#;

/// A session's token.
const SESSION: &str = "session=8d7c5d8e-5c3b-4d93-8a35-4b1a4a4f9a10";
const OTHER: &str = "session=11111111-5c3b-4d93-8a35-4b1a4a4f9a10";

/// An application whose source sends these, one after the other.
fn with_source(answers: &[(u16, &str)]) -> App {
    let mut source = FakeHttp::default();
    for (status, body) in answers {
        let response = http::Response::builder().status(*status).body(body.as_bytes().to_vec()).unwrap();
        source = source.will(Ok(response));
    }
    let mut app = app("delivery", &SETTINGS, Sqlite::in_memory());
    app.http = Arc::new(source);
    app
}

fn ask(app: &App, cookie: &str, method: &str, target: &str, body: &str) -> Response {
    let mut request = Request::builder().method(method).uri(target);
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    send(&API, app, request.body(body.as_bytes().to_vec()).unwrap())
}

fn call(app: &App, cookie: &str, method: &str, target: &str, body: &str) -> (u16, String) {
    let response = ask(app, cookie, method, target, body);
    (response.status().as_u16(), String::from_utf8(response.into_body()).unwrap())
}

fn detail(text: &str) -> String {
    json!({ "detail": text }).to_string()
}

fn json_of(response: (u16, String)) -> (u16, Value) {
    let value = serde_json::from_str(&response.1).unwrap_or(Value::Null);
    (response.0, value)
}

fn with_token(app: &App, token: &str, method: &str, target: &str, body: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    let response = send(&API, app, request.body(body.as_bytes().to_vec()).unwrap());
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
}

const PHONE: &str = r#"{"name":"Phone","weight":1.5,"price":"10.99","type":2}"#;

#[test]
fn what_is_open_to_everybody_is_only_this() {
    let open = ["GET /parcels/types", "GET /sessions/new/", "GET /types/", "POST /packages/"];
    // A body that is no JSON is told before anything else.
    assert_eq!(open_routes(&API, &with_source(&[])), open[..3]);
    assert_eq!(call(&with_source(&[]), "", "POST", open[3].split_once(' ').unwrap().1, "{").0, 422);
}

#[test]
fn the_originals_exchanges_are_its_own() {
    let app = with_source(&[(200, DAILY)]);
    let session = ask(&app, "", "GET", "/sessions/new/", "");
    assert_eq!(session.body(), r#"{"message":"Сессия установлена (cookie)"}"#.as_bytes());
    let cookie = session.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("session=") && cookie.ends_with("; HttpOnly; Path=/; SameSite=strict"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(
        call(&app, "", "GET", "/types/", ""),
        (200, r#"[{"id":3,"name":"Разное"},{"id":2,"name":"Электроника"},{"id":1,"name":"Одежда"}]"#.into())
    );
    let (status, body) = json_of(call(&app, cookie, "POST", "/packages/", PHONE));
    assert_eq!(status, 201);
    let uuid = body["uuid"].as_str().unwrap().to_owned();
    assert_eq!(body, json!({ "uuid": uuid }));
    let at = format!("/packages/status/{uuid}/");
    assert_eq!(
        call(&app, cookie, "GET", &at, ""),
        (200, r#"{"pending":true,"error":false,"id":null}"#.into())
    );
    // What the client does not wait for.
    ready(app.after.finish());
    for form in [uuid.clone(), uuid.to_uppercase(), uuid.replace('-', ""), format!("urn:uuid:{uuid}")] {
        let done = call(&app, cookie, "GET", &format!("/packages/status/{form}/"), "");
        assert_eq!(done, (200, r#"{"pending":false,"error":false,"id":1}"#.into()), "{form}");
    }
    let package = r#"{"id":1,"name":"Phone","weight":"1.50","price":"10.99","cost":"72.24","type":2}"#;
    assert_eq!(call(&app, cookie, "GET", "/packages/1/", ""), (200, package.into()));
    assert_eq!(
        call(&app, cookie, "GET", "/packages/", ""),
        (200, format!(r#"{{"count":1,"next":null,"previous":null,"results":[{package}]}}"#))
    );
    let upper = cookie.to_uppercase().replace("SESSION=", "session=");
    assert_eq!(
        call(&app, &upper, "GET", "/packages/1/", "").0,
        200,
        "any form of the token is the same session"
    );
}

#[test]
fn refusals_are_the_originals_in_its_order() {
    let app = with_source(&[]);
    let no_cookie = (401, detail("Необходима cookie сессии"));
    let bad_cookie = (400, detail("Токен сессии невалиден"));
    for (method, target, body) in [
        ("POST", "/packages/", PHONE),
        ("POST", "/packages/", "{}"),
        ("GET", "/packages/?page=0", ""),
        ("GET", "/packages/x/", ""),
        ("GET", "/packages/status/x/", ""),
    ] {
        assert_eq!(call(&app, "", method, target, body), no_cookie, "{method} {target}");
        assert_eq!(call(&app, "session=x", method, target, body), bad_cookie, "{method} {target}");
    }
    let broken = json_of(call(&app, "", "POST", "/packages/", "{")).1;
    assert_eq!(broken["detail"][0]["type"], "json_invalid", "a broken body comes first");

    let no_page = (404, detail("Страница не найдена"));
    assert_eq!(call(&app, SESSION, "GET", "/packages/x/", ""), no_page, "a session that there is not");
    assert_eq!(call(&app, SESSION, "GET", "/packages/status/x/", ""), no_page);
    let empty = r#"{"count":0,"next":null,"previous":null,"results":[]}"#;
    assert_eq!(call(&app, SESSION, "GET", "/packages/", ""), (200, empty.into()), "but its list is empty");

    let no_type = PHONE.replace(":2}", ":9}");
    assert_eq!(
        call(&app, SESSION, "POST", "/packages/", &no_type),
        (400, detail("Типа посылки с переданным ID не существует"))
    );
    assert_eq!(call(&app, SESSION, "POST", "/packages/", PHONE).0, 201);
    assert_eq!(call(&app, SESSION, "GET", "/packages/9/", ""), no_page);
    assert_eq!(call(&app, OTHER, "POST", "/packages/", PHONE).0, 201);
    assert_eq!(call(&app, OTHER, "GET", "/packages/1/", ""), no_page, "another's");
    let unknown = "/packages/status/8d7c5d8e-5c3b-4d93-8a35-4b1a4a4f9a10/";
    assert_eq!(call(&app, SESSION, "GET", unknown, ""), (404, detail("Посылки с таким UUID не существует")));
    for (target, kind, at) in [
        ("/packages/x/", "int_parsing", json!(["path", "package_id"])),
        ("/packages/0/", "greater_than", json!(["path", "package_id"])),
        ("/packages/status/x/", "uuid_parsing", json!(["path", "status_uuid"])),
        ("/packages/?page=0", "greater_than_equal", json!(["query", "page"])),
        ("/packages/?size=101", "less_than_equal", json!(["query", "size"])),
        ("/packages/?size=x", "int_parsing", json!(["query", "size"])),
        ("/packages/?type=0", "greater_than", json!(["query", "type"])),
        ("/packages/?has_cost=maybe", "bool_parsing", json!(["query", "has_cost"])),
    ] {
        let (status, body) = json_of(call(&app, SESSION, "GET", target, ""));
        assert_eq!(
            (status, &body["detail"][0]["type"], &body["detail"][0]["loc"]),
            (422, &json!(kind), &at),
            "{target}"
        );
    }
}

#[test]
fn fields_are_refused_by_the_originals_rules() {
    let app = with_source(&[]);
    let refused = |body: &str| {
        let (status, body) = json_of(call(&app, SESSION, "POST", "/packages/", body));
        assert_eq!(status, 422, "{body}");
        body["detail"].as_array().unwrap().clone()
    };
    let all = refused("{}");
    let places: Vec<_> = all.iter().map(|error| (error["type"].clone(), error["loc"][1].clone())).collect();
    assert_eq!(places, ["name", "weight", "price", "type"].map(|name| (json!("missing"), json!(name))));
    for (member, value, kind) in [
        ("name", json!(""), "string_too_short"),
        ("name", json!("x".repeat(513)), "string_too_long"),
        ("name", json!(7), "string_type"),
        ("weight", json!(0), "greater_than"),
        ("weight", json!(-0.0), "greater_than"),
        ("weight", json!("-1"), "greater_than"),
        ("weight", json!(0.001), "decimal_max_places"),
        ("weight", json!(12_345_678_901_i64), "decimal_max_digits"),
        ("weight", json!(123_456_789), "decimal_whole_digits"),
        ("weight", json!("x"), "decimal_parsing"),
        ("weight", json!("NaN"), "finite_number"),
        ("weight", json!("Infinity"), "finite_number"),
        ("weight", json!(true), "decimal_type"),
        ("price", json!(0), "greater_than"),
        ("type", json!(0), "greater_than"),
        ("type", json!("x"), "int_parsing"),
        ("type", json!(1.5), "int_from_float"),
    ] {
        let mut body: Value = serde_json::from_str(PHONE).unwrap();
        body[member] = value.clone();
        let errors = refused(&body.to_string());
        assert_eq!(
            (&errors[0]["type"], &errors[0]["loc"]),
            (&json!(kind), &json!(["body", member])),
            "{value}"
        );
        assert_eq!(errors[0]["input"], value);
    }
    let lacking = refused(r#"{"name":"x","weight":1,"price":2}"#);
    assert_eq!(
        lacking,
        [json!({"type": "missing", "loc": ["body", "type"], "msg": "Field required",
            "input": {"name": "x", "weight": 1, "price": 2}})]
    );
    let zero = refused(&PHONE.replace("1.5", "0"));
    assert_eq!(
        zero[0],
        json!({"type": "greater_than", "loc": ["body", "weight"], "msg": "Input should be greater than 0",
            "input": 0, "ctx": {"gt": 0}})
    );
    let accepted =
        PHONE.replace("Phone", "   ").replace("1.5", "\"0.01\"").replace(":2}", ":\"2\",\"more\":1}");
    assert_eq!(call(&app, SESSION, "POST", "/packages/", &accepted).0, 201);
}

#[test]
fn a_slash_that_lacks_is_added_and_other_methods_are_refused() {
    let app = with_source(&[]);
    for (method, target, location) in [
        ("GET", "/sessions/new", "/sessions/new/"),
        ("GET", "/types", "/types/"),
        ("POST", "/packages", "/packages/"),
        ("GET", "/packages?page=2", "/packages/?page=2"),
        ("GET", "/packages/1", "/packages/1/"),
        ("GET", "/packages/status/x", "/packages/status/x/"),
    ] {
        let response = ask(&app, "", method, target, "");
        assert_eq!(response.status(), 307, "{target}");
        assert_eq!(response.headers()["location"], location);
    }
    let response = ask(&app, "", "DELETE", "/packages/1/", "");
    assert_eq!(
        (response.status(), response.headers()["allow"].to_str().unwrap()),
        (StatusCode::METHOD_NOT_ALLOWED, "GET")
    );
    assert_eq!(response.body(), br#"{"detail":"Method Not Allowed"}"#);
    assert_eq!(call(&app, "", "GET", "/packages/1/2/3", ""), (404, r#"{"detail":"Not Found"}"#.into()));
    assert!(call(&app, "", "GET", "/parcels/1/2/3", "").1.contains("not-found"), "ours are told as ours");
}

#[test]
fn pages_keep_their_filters_and_meet_each_package_once() {
    let app = with_source(&[(200, DAILY)]);
    for number in 0..5 {
        let body = PHONE.replace(":2}", if number % 2 == 0 { ":2}" } else { ":1}" });
        assert_eq!(call(&app, SESSION, "POST", "/packages/", &body).0, 201);
    }
    ready(app.after.finish());
    let (mut target, mut seen) = ("/packages/?size=2&type=2&has_cost=yes".to_owned(), Vec::new());
    loop {
        let (status, page) = json_of(call(&app, SESSION, "GET", &target, ""));
        assert_eq!((status, &page["count"]), (200, &json!(3)));
        seen.extend(page["results"].as_array().unwrap().iter().map(|each| each["id"].as_i64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        assert!(next.starts_with("http://localhost:8000/packages/?page="), "{next}");
        target = next.strip_prefix("http://localhost:8000").unwrap().to_owned();
    }
    assert_eq!(seen, [5, 3, 1]);
    let beyond = json_of(call(&app, SESSION, "GET", "/packages/?page=50", "")).1;
    assert_eq!(beyond["previous"], "http://localhost:8000/packages/?page=49&size=20");
    assert_eq!((&beyond["next"], &beyond["results"]), (&Value::Null, &json!([])));
    let (status, _) = call(&app, SESSION, "GET", "/packages/?page=9223372036854775807&size=100", "");
    assert_eq!(status, 200);
}

#[test]
fn our_own_parcels_have_types_money_history_and_a_receipt() {
    let app = with_source(&[(200, DAILY)]);
    let token = token(&app, "7", Role::User);
    let body = r#"{"name":"Phone","weight":"1.5","value":10.99,"type":2}"#;
    let (status, parcel) = with_token(&app, &token, "POST", "/parcels", body);
    assert_eq!((status, &parcel["state"], &parcel["cost"]), (201, &json!("pending"), &Value::Null));
    assert_eq!(with_token(&app, &token, "GET", "/parcels/1?cost=text", "").1["cost_text"], "Не рассчитано");
    ready(app.after.finish());
    let (_, parcel) = with_token(&app, &token, "GET", "/parcels/1", "");
    assert_eq!(parcel["cost"], json!({ "amount": "72.24", "currency": "RUB" }));
    assert_eq!(parcel["value"], json!({ "amount": "10.99", "currency": "USD" }));
    assert_eq!(parcel["type"], json!({ "id": 2, "name": "Электроника" }));
    let (_, history) = with_token(&app, &token, "GET", "/parcels/1/history", "");
    let events: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(events, ["registered", "priced"]);
    let (_, receipt) = with_token(&app, &token, "GET", "/parcels/1/receipt", "");
    assert_eq!(
        receipt["rate"],
        json!({"value": "84.004", "nominal": 1, "date": "2027-01-15", "source": "https://bank.example"})
    );
    let (_, quote) = with_token(&app, &token, "POST", "/parcels/quote", r#"{"weight":"2","value":"100"}"#);
    assert_eq!(quote["cost"]["amount"], "168.01");
    let (status, wrong) =
        with_token(&app, &token, "POST", "/parcels", r#"{"name":"","weight":0,"value":"x"}"#);
    assert_eq!((status, wrong["errors"].as_array().unwrap().len()), (422, 4));
    assert_eq!(
        with_token(&app, &token, "GET", "/parcels?priced=true", "").1["items"].as_array().unwrap().len(),
        1
    );
    assert_eq!(with_token(&app, &token, "GET", "/parcels?state=lost", "").0, 422);
    assert_eq!(with_token(&app, &token, "GET", "/parcels/sums", "").0, 403);
    assert_eq!(with_token(&app, &token, "POST", "/parcels/1/carrier", r#"{"company_id":1}"#).0, 403);
}

#[test]
fn companies_ask_and_the_first_has_it() {
    let app = with_source(&[(200, DAILY)]);
    assert_eq!(call(&app, SESSION, "POST", "/packages/", PHONE).0, 201);
    let service = token(&app, "8", Role::Service);
    let ask = |company: i64| {
        with_token(
            &app,
            &service,
            "POST",
            "/parcels/1/carrier",
            &json!({ "company_id": company }).to_string(),
        )
    };
    let first = ask(5);
    assert_eq!((first.0, &first.1["company_id"]), (200, &json!(5)));
    assert_eq!(ask(5), first);
    let (status, refused) = ask(6);
    assert_eq!((status, &refused["company_id"]), (409, &json!(5)));
    assert_eq!(ask(0).0, 422);
    assert_eq!(call(&app, SESSION, "POST", "/parcels/1/cancel", "").0, 409);
    let (_, sums) = with_token(&app, &service, "GET", "/parcels/sums", "");
    assert_eq!(sums["items"], json!([]));
    ready(app.after.finish());
    let (_, sums) = with_token(&app, &service, "GET", "/parcels/sums", "");
    assert_eq!(
        (&sums["items"][0]["parcels"], &sums["items"][0]["total"]["amount"]),
        (&json!(1), &json!("72.24"))
    );
}

#[test]
fn a_session_is_claimed_by_logging_in() {
    let app = with_source(&[]);
    assert_eq!(call(&app, SESSION, "POST", "/packages/", PHONE).0, 201);
    let token = token(&app, "7", Role::User);
    let request =
        Request::get("/parcels").header("authorization", format!("Bearer {token}")).header("cookie", SESSION);
    let mine: Value =
        serde_json::from_slice(send(&API, &app, request.body(Vec::new()).unwrap()).body()).unwrap();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        call(&app, SESSION, "GET", "/packages/1/", "").0,
        404,
        "the browser has it only while logged in"
    );
}

#[test]
fn a_client_registers_so_many_parcels_in_a_day() {
    let app = with_source(&[]);
    for number in 0..20 {
        let session = format!("session=11111111-5c3b-4d93-8a35-{number:012}");
        assert_eq!(call(&app, &session, "POST", "/packages/", PHONE).0, 201, "a session is free to make");
    }
    let refused = ask(&app, SESSION, "POST", "/packages/", PHONE);
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let token = token(&app, "7", Role::User);
    let body = r#"{"name":"Phone","weight":"1.5","value":10.99,"type":2}"#;
    assert_eq!(with_token(&app, &token, "POST", "/parcels", body).0, 201, "an account has its own number");
}

#[test]
fn a_batch_tells_what_became_of_each_row_and_can_be_sent_again() {
    let app = with_source(&[]);
    let csv = "name,weight,value,type\nPhone,1.50,10.99,2\n\"Coat, warm\",2,100,1\nLamp,0,5,3\nBook,1,1,9\n";
    let send_it = || {
        let request = Request::post("/parcels/batch")
            .header("cookie", SESSION)
            .header("idempotency-key", "k")
            .header("content-type", "text/csv; charset=utf-8");
        let response = send(&API, &app, request.body(csv.as_bytes().to_vec()).unwrap());
        serde_json::from_slice::<Value>(response.body()).unwrap()
    };
    let first = send_it();
    assert_eq!((&first["items"][0]["id"], &first["items"][1]["id"]), (&json!(1), &json!(2)));
    assert_eq!(
        first["items"][2]["errors"],
        json!([{"pointer": "/weight", "rule": "must be greater than 0"}])
    );
    assert_eq!(first["items"][3]["errors"][0]["pointer"], "/type");
    assert_eq!(send_it(), first);
    let (_, list) = json_of(call(&app, SESSION, "GET", "/packages/", ""));
    assert_eq!((&list["count"], &list["results"][0]["name"]), (&json!(2), &json!("Coat, warm")));
    let wrong = Request::post("/parcels/batch").header("cookie", SESSION).body(b"{}".to_vec()).unwrap();
    assert_eq!(send(&API, &app, wrong).status(), 415);
}

#[test]
fn a_source_that_fails_keeps_parcels_pending_and_is_told_to_operators_only() {
    let app = with_source(&[(200, "<html>"), (403, ""), (302, "")]);
    let (_, body) = json_of(call(&app, SESSION, "POST", "/packages/", PHONE));
    ready(app.after.finish());
    let at = format!("/packages/status/{}/", body["uuid"].as_str().unwrap());
    assert_eq!(call(&app, SESSION, "GET", &at, "").1, r#"{"pending":true,"error":false,"id":null}"#);
    assert_eq!(call(&app, SESSION, "POST", "/parcels/quote", r#"{"weight":1,"value":1}"#).0, 503);
    assert_eq!(json_of(call(&app, SESSION, "GET", "/parcels/rate", "")).1["error"], Value::Null);
    let root = token(&app, "1", Role::Admin);
    let told = with_token(&app, &root, "GET", "/parcels/rate", "").1;
    assert!(told["error"].as_str().is_some_and(|error| error.contains("JSON")), "{told}");
    let request =
        Request::get("/metrics/delivery").header("authorization", "Bearer metrics").body(Vec::new()).unwrap();
    let metrics = String::from_utf8(send(&API, &app, request).into_body()).unwrap();
    for line in [
        "octo_parcels{state=\"pending\"} 1",
        "octo_parcels_priced_total 0",
        "octo_parcel_rate_failures_total 1",
        "octo_parcel_rate_age_seconds -1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}
