//! Our own routes.

use std::time::Duration;

use super::*;
use crate::harness::spin::not_on_spin;

fn names(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_read_by_anyone_and_changed_by_administrators() {
    let app = setup().start().await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    let new = json!({ "name": "Молоко", "category": "Молочные продукты", "price": "150.50", "stock": 5 });
    app.post("/shop/products").json(&new).await.problem(401, "unauthorized");
    ada.call(Method::POST, "/shop/products").json(&new).await.problem(403, "forbidden");
    let add = || root.call(Method::POST, "/shop/products").header("idempotency-key", "k").json(&new);
    let milk = add().await;
    let body = milk.expect(201);
    assert_eq!(body["price"], json!({ "amount": "150.50", "currency": "RUB" }));
    assert_eq!(milk.header("location"), format!("/shop/products/{}", body["id"].as_str().unwrap()));
    let again = add().await;
    assert_eq!((again.expect(201), again.header("idempotency-replayed")), (body.clone(), "true"));
    let id = body["id"].as_str().unwrap();
    for (wrong, pointer) in [
        (json!({ "name": " ", "category": "a", "price": "1" }), "/name"),
        (json!({ "name": "a", "category": "a", "price": 0 }), "/price"),
        (json!({ "name": "a", "category": "a", "price": "1.001" }), "/price"),
        (json!({ "name": "a", "category": "a", "price": "1", "stock": -1 }), "/stock"),
        (json!({ "name": "a", "category": "a", "price": "1", "description": 7 }), "/description"),
        (json!({ "name": "a", "price": "1" }), "/category"),
    ] {
        let problem = root.call(Method::POST, "/shop/products").json(&wrong).await;
        assert_eq!(problem.problem(422, "invalid-fields")["errors"][0]["pointer"], pointer, "{wrong}");
    }
    let one = format!("/shop/products/{id}");
    let changed =
        root.call(Method::PATCH, &one).json(&json!({ "price": 99.9, "manufacturer": "Ферма" })).await;
    let changed = changed.expect(200);
    assert_eq!((&changed["price"]["amount"], &changed["manufacturer"]), (&json!("99.90"), &json!("Ферма")));
    assert_eq!(app.get(&one).await.expect(200), changed);
    for (path, status) in
        [("/shop/products/1", 404), ("/shop/products?sort=size", 422), ("/shop/products?min_price=-1", 422)]
    {
        assert_eq!(app.get(path).await.status, status, "{path}");
    }
    for _ in 0..2 {
        assert_eq!(root.call(Method::DELETE, &one).await.status, 204);
    }
    app.get(&one).await.problem(404, "no-such-product");
    root.call(Method::PATCH, &one).json(&json!({ "stock": 1 })).await.problem(404, "no-such-product");
    let audit = root.call(Method::GET, "/auth/audit").await.text();
    for act in ["product-added", "product-changed", "product-withdrawn"] {
        assert!(audit.contains(act), "{act}: {audit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_sorted_searched_and_read_in_pages() {
    let app = setup().start().await;
    for (name, price) in [("Молоко", "3"), ("Мёд", "1"), ("Сыр 50%", "2"), ("Сок", "2")] {
        product(&app, name, price, 1).await;
    }
    let list = async |query: &str| app.get(&format!("/shop/products{query}")).await.expect(200);
    assert_eq!(names(&list("").await), ["Сок", "Сыр 50%", "Мёд", "Молоко"]);
    let mut all = Vec::new();
    let mut query = "?sort=price&limit=3".to_owned();
    loop {
        let page = list(&query).await;
        all.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?sort=price&limit=3&after={next}");
    }
    assert_eq!(all, ["Мёд", "Сыр 50%", "Сок", "Молоко"]);
    for (query, found) in
        [("МОЛ", "Молоко"), ("мед", "Мёд"), ("50%25", "Сыр 50%"), ("%25", "Сыр 50%"), ("_", ""), ("'", "")]
    {
        assert_eq!(names(&list(&format!("?q={query}")).await).join("|"), found, "{query}");
    }
    assert_eq!(names(&list("?min_price=2&max_price=2&sort=-name").await), ["Сыр 50%", "Сок"]);
    let cursor = list("?sort=price&limit=1").await["next"].as_str().unwrap().to_owned();
    app.get(&format!("/shop/products?after={cursor}")).await.problem(422, "invalid-fields");
    let categories = app.get("/shop/categories").await.expect(200);
    assert_eq!(
        categories,
        json!({ "items": [{ "name": "Молочные продукты", "products": 4 }], "next": null })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_cart_is_taken_along_and_ordered_once() {
    let app = setup().start().await;
    let milk = product(&app, "Молоко", "0.10", 9).await;
    let add = json!({ "product_id": milk, "quantity": 2 });
    let cart = app.post("/shop/cart/items").json(&add).await;
    assert_eq!(cart.expect(200)["total"]["amount"], "0.20");
    let cookie = cart.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cart.header("set-cookie").contains("HttpOnly"));
    let more =
        app.post("/shop/cart/items").header("cookie", &cookie).json(&json!({ "product_id": milk })).await;
    let more = more.expect(200);
    assert_eq!((&more["items"].as_array().unwrap().len(), &more["items"][0]["quantity"]), (&1, &json!(3)));
    assert_eq!(more["total"]["amount"], "0.30", "0.1 x 3");
    // A page of another site cannot use it.
    let forged =
        app.post("/shop/cart/items").header("cookie", &cookie).header("sec-fetch-site", "cross-site");
    assert_eq!(forged.json(&add).await.expect(200)["items"][0]["quantity"], 2);
    assert_eq!(app.get("/shop/cart").await.expect(200)["items"], json!([]));
    app.post("/shop/checkout").header("cookie", &cookie).await.problem(401, "unauthorized");

    let ada = app.user("ada").await;
    let taken = ada.call(Method::GET, "/shop/cart").header("cookie", &cookie).await;
    assert_eq!(taken.expect(200)["items"][0]["quantity"], 3);
    assert!(taken.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(app.get("/shop/cart").header("cookie", &cookie).await.expect(200)["items"], json!([]));
    let quote = ada.call(Method::GET, "/shop/checkout").await.expect(200);
    assert_eq!((&quote["total"]["amount"], &quote["can_be_ordered"]), (&json!("0.30"), &json!(true)));
    assert_eq!(stock(&app, &milk).await, 9, "nothing was ordered");

    let order = || ada.call(Method::POST, "/shop/checkout").header("idempotency-key", "one");
    let first = order().await;
    let body = first.expect(201);
    assert_eq!((&body["total"]["amount"], &body["status"]), (&json!("0.30"), &json!("created")));
    assert_eq!(first.header("location"), format!("/shop/orders/{}", body["id"].as_str().unwrap()));
    let replayed = order().await;
    assert_eq!((replayed.expect(201), replayed.header("idempotency-replayed")), (body, "true"));
    order().json(&json!({ "total": "9" })).await.problem(422, "idempotency-key-reused");
    check_out(&ada).await.problem(409, "cart-empty");
    assert_eq!(stock(&app, &milk).await, 6);
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_in_the_meantime_is_told_and_not_hidden() {
    let app = setup().start().await;
    let (root, ada, bob) = (app.administrator().await, app.user("ada").await, app.user("bob").await);
    let (milk, bread) = (product(&app, "Молоко", "100", 5).await, product(&app, "Хлеб", "30", 5).await);
    let change = async |product: &str, change: Value| {
        root.call(Method::PATCH, &format!("/shop/products/{product}")).json(&change).await.expect(200)
    };
    put(&ada, &milk, 2).await.expect(200);
    put(&ada, &bread, 1).await.expect(200);
    change(&milk, json!({ "price": "150" })).await;
    let cart = ada.call(Method::GET, "/shop/cart").await.expect(200);
    assert_eq!((&cart["items"][0]["price_change"], &cart["can_be_ordered"]), (&json!("rose"), &json!(false)));
    let refused = check_out(&ada).await.problem(409, "price-changed");
    assert!(refused["detail"].as_str().unwrap().contains("330.00"), "{refused}");
    assert_eq!(refused["errors"], json!([{ "pointer": "/items/0", "rule": "costs 150.00" }]));
    put(&bob, &milk, 4).await.expect(200);
    check_out(&bob).await.expect(201);
    root.call(Method::DELETE, &format!("/shop/products/{bread}")).await;
    let refused = check_out(&ada).await.problem(409, "not-enough-stock");
    assert_eq!(
        refused["errors"],
        json!([{ "pointer": "/items/0", "rule": "of this there are 1" },
            { "pointer": "/items/1", "rule": "of this there are 0" }])
    );
    let gone = format!("/shop/cart/items/{bread}");
    let cart = ada.call(Method::GET, "/shop/cart").await.expect(200);
    assert_eq!((&cart["items"][1]["name"], &cart["items"][1]["available"]), (&json!("Хлеб"), &json!(0)));
    ada.call(Method::PUT, &gone).json(&json!({ "quantity": 1 })).await.problem(404, "no-such-product");
    assert_eq!(ada.call(Method::DELETE, &gone).await.expect(200)["items"].as_array().unwrap().len(), 1);
    let set = |quantity: i64| {
        ada.call(Method::PUT, &format!("/shop/cart/items/{milk}")).json(&json!({ "quantity": quantity }))
    };
    set(2).await.problem(409, "not-enough-stock");
    set(0).await.problem(422, "invalid-fields");
    // Set again it is seen at the new price.
    assert_eq!(set(1).await.expect(200)["can_be_ordered"], true);
    change(&milk, json!({ "price": "200" })).await;
    let agree = |total: &str| ada.call(Method::POST, "/shop/checkout").json(&json!({ "total": total }));
    agree("199.99").await.problem(409, "price-changed");
    assert_eq!(agree("200").await.expect(201)["total"]["amount"], "200.00");
    let orders = ada.call(Method::GET, "/shop/orders").await.expect(200);
    assert_eq!(orders["items"][0]["items"][0]["name"], "Молоко");
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_their_owners_and_administrators() {
    let app = setup().start().await;
    let (root, ada, bob) = (app.administrator().await, app.user("ada").await, app.user("bob").await);
    let milk = product(&app, "Молоко", "100", 5).await;
    put(&ada, &milk, 2).await.expect(200);
    let order = check_out(&ada).await.expect(201);
    let one = format!("/shop/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(ada.call(Method::GET, &one).await.expect(200), order);
    assert_eq!(root.call(Method::GET, &one).await.expect(200), order);
    for (method, path) in [
        (Method::GET, one.clone()),
        (Method::GET, format!("{one}/timeline")),
        (Method::POST, format!("{one}/cancel")),
    ] {
        app.call(0, method.clone(), &path).await.problem(401, "unauthorized");
        bob.call(method, &path).await.problem(404, "no-such-order");
    }
    let status = json!({ "status": "delivered" });
    ada.call(Method::PUT, &format!("{one}/status")).json(&status).await.problem(403, "forbidden");
    assert_eq!(bob.call(Method::GET, "/shop/orders").await.expect(200)["items"], json!([]));
    assert_eq!(root.call(Method::GET, "/shop/orders?status=created").await.expect(200)["items"][0], order);
    assert_eq!(root.call(Method::GET, "/shop/orders?own=true").await.expect(200)["items"], json!([]));
    let canceled = ada.call(Method::POST, &format!("{one}/cancel")).await.expect(200);
    assert_eq!(canceled["status"], "canceled");
    ada.call(Method::POST, &format!("{one}/cancel")).await.problem(409, "order-final");
    assert_eq!(stock(&app, &milk).await, 5);
    let timeline = ada.call(Method::GET, &format!("{one}/timeline")).await.expect(200);
    let timeline: Vec<_> = timeline["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["status"].clone(), event["actor"].clone()))
        .collect();
    assert_eq!(timeline, [(json!("created"), json!(ada.id)), (json!("canceled"), json!(ada.id))]);
    // Un-canceled it takes its stock again, or is refused for the lack of it.
    let set =
        |status: &str| root.call(Method::PUT, &format!("{one}/status")).json(&json!({ "status": status }));
    set("processing").await.expect(200);
    assert_eq!(stock(&app, &milk).await, 3);
    set("canceled").await.expect(200);
    put(&bob, &milk, 4).await.expect(200);
    check_out(&bob).await.expect(201);
    set("created").await.problem(409, "not-enough-stock");
    set("lost").await.problem(422, "invalid-fields");
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_products_come_from_a_file_and_each_wrong_row_is_told() {
    let app = setup().start().await;
    let root = app.administrator().await;
    let milk = product(&app, "Молоко", "100", 5).await;
    let mut csv = String::from("id,name,category,price,stock,description\n");
    csv.push_str(&format!("{milk},Кефир,Молочные продукты,90.50,,\"с кальцием, 1%\"\n"));
    csv.push_str(",Без цены,Сладкое,,1,\n,Дорогой,Сладкое,x,1.5,\nnone,A,B,1,1,\n");
    for number in 0..600 {
        csv.push_str(&format!(",Товар {number},Сладкое,{number}.99,{number},\n"));
    }
    let send = |kind: &str, body: String| {
        root.call(Method::POST, "/shop/imports").header("content-type", kind).body(body)
    };
    send("text/plain", csv.clone()).await.problem(415, "unsupported-content-type");
    let begin = || send("text/csv; charset=utf-8", csv.clone()).header("idempotency-key", "k");
    let begun = begin().await;
    let import = begun.expect(201);
    assert_eq!((&import["rows"], &import["wrong"]), (&json!(601), &json!(3)));
    let rules: Vec<_> = import["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{} {}", error["row"], error["pointer"].as_str().unwrap()))
        .collect();
    assert_eq!(rules, ["2 /price", "3 /price", "3 /stock", "4 /id"]);
    drain(&app).await;
    let done = app.administrator().await.call(Method::GET, begun.header("location")).await.expect(200);
    assert_eq!((&done["state"], &done["done"]), (&json!("done"), &json!(601)));
    assert_eq!(begin().await.expect(201)["id"], import["id"]);
    drain(&app).await;
    let categories = app.get("/shop/categories").await.expect(200);
    assert_eq!(categories["items"][1], json!({ "name": "Сладкое", "products": 600 }));
    let kefir = app.get(&format!("/shop/products/{milk}")).await.expect(200);
    assert_eq!((&kefir["name"], &kefir["stock"]), (&json!("Кефир"), &json!(5)));
    assert_eq!(names(&app.get("/shop/products?q=товар%20599").await.expect(200)), ["Товар 599"]);
    let lines = "{\"name\":\"A\",\"category\":\"B\",\"price\":1.5,\"stock\":3}\n\n[]\n{\n";
    let import = send("application/x-ndjson", lines.into()).await.expect(201);
    assert_eq!((&import["rows"], &import["wrong"]), (&json!(1), &json!(2)));
    app.user("ada").await.call(Method::GET, begun.header("location")).await.problem(403, "forbidden");
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_is_corrected_with_its_reason_and_its_ledger_says_why() {
    let app = setup().start().await;
    let (root, ada) = (app.administrator().await, app.user("ada").await);
    let milk = product(&app, "Молоко", "100", 5).await;
    let path = format!("/shop/products/{milk}/stock");
    put(&ada, &milk, 2).await.expect(200);
    let order = check_out(&ada).await.expect(201);
    let correct = |change: i64| {
        root.call(Method::POST, &path)
            .header("idempotency-key", "k")
            .json(&json!({ "change": change, "reason": "broken" }))
    };
    assert_eq!(correct(-1).await.expect(201)["stock"], 2);
    assert_eq!(correct(-1).await.header("idempotency-replayed"), "true");
    correct(-2).await.problem(422, "idempotency-key-reused");
    let too_many = json!({ "change": -3, "reason": "gone" });
    root.call(Method::POST, &path).json(&too_many).await.problem(409, "not-enough-stock");
    root.call(Method::POST, &path)
        .json(&json!({ "change": 0, "reason": "x" }))
        .await
        .problem(422, "invalid-fields");
    ada.call(Method::POST, &path).json(&too_many).await.problem(403, "forbidden");
    let ledger = root.call(Method::GET, &path).await.expect(200);
    let ledger: Vec<_> = ledger["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["change"].clone(), entry["reason"].clone(), entry["order"].clone()))
        .collect();
    assert_eq!(
        ledger,
        [
            (json!(-1), json!("correction"), json!(null)),
            (json!(-2), json!("order"), order["id"].clone()),
            (json!(5), json!("initial"), json!(null)),
        ]
    );
    let low = root.call(Method::GET, "/shop/stock/low?below=3").await.expect(200);
    assert_eq!(low["items"][0]["id"], milk.as_str());
    assert_eq!(root.call(Method::GET, "/shop/stock/low?below=2").await.expect(200)["items"], json!([]));
    ada.call(Method::GET, "/shop/stock/low").await.problem(403, "forbidden");
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_at_is_remembered_and_paid_access_saves_money() {
    not_on_spin("a variable of its own");
    let app = setup().with("shop_paid_discount_percent", 10).start().await;
    let milk = product(&app, "Молоко", "99.99", 5).await;
    let bread = product(&app, "Хлеб", "1", 5).await;
    let ada = app.paying_user("ada").await;
    for id in [&milk, &bread, &milk] {
        app.clock().advance(Duration::from_secs(1));
        assert_eq!(ada.call(Method::PUT, &format!("/shop/views/{id}")).await.status, 204);
    }
    let views = ada.call(Method::GET, "/shop/views").await.expect(200);
    assert_eq!(names(&views), ["Молоко", "Хлеб"]);
    ada.call(Method::PUT, "/shop/views/1").await.problem(404, "no-such-product");
    put(&ada, &milk, 1).await.expect(200);
    let order = check_out(&ada).await.expect(201);
    assert_eq!((&order["discount"]["amount"], &order["total"]["amount"]), (&json!("9.99"), &json!("90.00")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_have_the_originals_names() {
    let app = setup().with("metrics_key", "scrape").with("request_metrics_sample", 1).start().await;
    let ada = app.user("ada").await;
    let milk = product(&app, "Молоко", "60", 5).await;
    put(&ada, &milk, 2).await.expect(200);
    check_out(&ada).await.expect(201);
    app.get("/api/products/1").await;
    app.quiet().await;
    let scrape = async |path: &str| {
        app.get(path).await.expect(401);
        app.get(path).bearer("scrape").await.text()
    };
    let has = |text: &str, lines: &[&str]| {
        for line in lines {
            assert!(text.lines().any(|known| known == *line), "{line}: {text}");
        }
    };
    has(
        &scrape("/api/metrics").await,
        &[
            "products_total 1",
            r#"products_by_category{category="Молочные продукты"} 1"#,
            r#"http_requests_total{method="GET",endpoint="/products/{product_id}",status_code="422"} 1"#,
            r#"http_request_duration_seconds_count{method="GET",endpoint="/products/{product_id}"} 1"#,
        ],
    );
    has(
        &scrape("/cart-api/metrics").await,
        &[
            "checkouts_total 1",
            r#"cart_value_cents_bucket{le="10000"} 0"#,
            r#"cart_value_cents_bucket{le="15000"} 1"#,
            "cart_value_cents_sum 12000",
            r#"cart_items_count_bucket{le="1"} 1"#,
            "octo_carts 0",
            r#"http_requests_total{method="POST",handler="/shop/checkout",status="2xx"} 1"#,
        ],
    );
    has(
        &scrape("/order-api/metrics").await,
        &["orders_created_total 1", r#"orders_status_total{status="CREATED"} 1"#],
    );
    assert!(scrape("/user-api/metrics").await.contains("users_registered_total "));
}
