//! The routes of the original delivery service, as its own clients use them.

use http::Method;
use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_package_goes_the_originals_way() {
    let app = setup().start().await;
    let session = app.get("/sessions/new/").await;
    assert_eq!(
        (session.status, session.text().as_str()),
        (200, r#"{"message":"Сессия установлена (cookie)"}"#)
    );
    let set = session.header("set-cookie").to_owned();
    assert!(set.ends_with("; HttpOnly; Path=/; SameSite=strict"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let types = app.get("/types/").await;
    assert_eq!(
        types.text(),
        r#"[{"id":3,"name":"Разное"},{"id":2,"name":"Электроника"},{"id":1,"name":"Одежда"}]"#
    );
    let registered = app.post("/packages/").header("cookie", cookie).json(&phone()).await.expect(201);
    let at = format!("/packages/status/{}/", registered["uuid"].as_str().unwrap());
    app.quiet().await;
    let status = app.get(&at).header("cookie", cookie).await;
    assert_eq!(status.text(), r#"{"pending":false,"error":false,"id":1}"#);
    let package = r#"{"id":1,"name":"Phone","weight":"1.50","price":"10.99","cost":"72.24","type":2}"#;
    assert_eq!(app.get("/packages/1/").header("cookie", cookie).await.text(), package);
    assert_eq!(
        app.get("/packages/").header("cookie", cookie).await.text(),
        format!(r#"{{"count":1,"next":null,"previous":null,"results":[{package}]}}"#)
    );
    // Another browser knows nothing of it.
    let other = browser(&app, 0, Method::GET, "/packages/1/").await;
    assert_eq!((other.status, other.text().as_str()), (404, r#"{"detail":"Страница не найдена"}"#));
    let moved = app.get("/packages?page=2").await;
    assert_eq!((moved.status, moved.header("location")), (307, "/packages/?page=2"));
    let refused = app.call(0, Method::DELETE, "/packages/1/").await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"));
    assert_eq!(refused.text(), r#"{"detail":"Method Not Allowed"}"#);
    check(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_in_the_originals_words() {
    let app = setup().start().await;
    let no_cookie = app.post("/packages/").json(&json!({})).await;
    assert_eq!(
        (no_cookie.status, no_cookie.text().as_str()),
        (401, r#"{"detail":"Необходима cookie сессии"}"#)
    );
    let no_uuid = app.post("/packages/").header("cookie", "session=7").json(&json!({})).await;
    assert_eq!((no_uuid.status, no_uuid.text().as_str()), (400, r#"{"detail":"Токен сессии невалиден"}"#));
    let no_type = browser(&app, 0, Method::POST, "/packages/");
    let mut body = phone();
    body["type"] = json!(9);
    let no_type = no_type.json(&body).await;
    assert_eq!(no_type.text(), r#"{"detail":"Типа посылки с переданным ID не существует"}"#);
    assert_eq!(no_type.status, 400);
    for weight in
        [json!(0), json!(-0.0), json!(0.001), json!("NaN"), json!("Infinity"), json!("1e9"), json!(null)]
    {
        let mut body = phone();
        body["weight"] = weight.clone();
        let refused = browser(&app, 0, Method::POST, "/packages/").json(&body).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["body", "weight"]), "{weight}");
    }
    let mut body = phone();
    body["weight"] = json!(0.01);
    browser(&app, 0, Method::POST, "/packages/").json(&body).await.expect(201);
    app.quiet().await;
    let package = browser(&app, 0, Method::GET, "/packages/1/").await.expect(200);
    assert_eq!((&package["weight"], &package["cost"]), (&json!("0.01"), &json!("9.65")));
}
