//! The original's four services, as its own clients use them.

use super::*;
use crate::harness::{PASSWORD, spin::not_on_spin};

#[track_caller]
fn is(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

/// A customer of the original's user service; the token.
async fn customer(app: &TestApp, name: &str) -> String {
    let new = json!({ "username": name, "full_name": "", "phone": "", "password": PASSWORD });
    app.post("/user-api/users/register").json(&new).await.expect(200);
    let token = app.post("/user-api/token").form(&[("username", name), ("password", PASSWORD)]).await;
    token.expect(200)["access_token"].as_str().unwrap().to_owned()
}

/// A product by the original's route; its id.
async fn store_product(app: &TestApp, name: &str, category: &str, price: Value, stock: i64) -> String {
    let root = app.administrator().await;
    let body = json!({ "name": name, "category": category, "price": price, "stock_count": stock });
    let created = root.call(Method::POST, "/api/products/").json(&body).await.expect(201);
    created["product_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_the_originals() {
    let app = setup().start().await;
    let root = app.administrator().await;
    let ada = customer(&app, "ada").await;
    is(&app.get("/api/").await, 200, r#"{"message":"Welcome to the Product Store API"}"#);
    is(&app.get("/api/system/health").await, 200, r#"{"status":"ok","database_connection":"ok"}"#);
    is(&app.get("/api/system/profiling/status").await, 200, r#"{"enabled":false}"#);

    let new = json!({ "name": "Молоко", "category": "Молочные продукты", "price": "150.5", "stock_count": 40,
        "description": "3.2%", "manufacturer": null });
    for body in [new.clone(), json!({})] {
        let none = app.post("/api/products/").json(&body).await;
        is(&none, 401, r#"{"detail":"Authentication required"}"#);
        let bad = app.post("/api/products/").bearer("x.y.z").json(&body).await;
        is(&bad, 401, r#"{"detail":"Authentication required"}"#);
        let user = app.post("/api/products/").bearer(&ada).json(&body).await;
        is(&user, 403, r#"{"detail":"Admin access required"}"#);
    }
    let created = root.call(Method::POST, "/api/products/").json(&new).await;
    let id = created.expect(201)["product_id"].as_str().unwrap().to_owned();
    let detail = format!(
        r#"{{"description":"3.2%","manufacturer":null,"stock_count":40,"name":"Молоко","category":"Молочные продукты","price":150.5,"product_id":"{id}"}}"#
    );
    is(&created, 201, &detail);
    let one = format!("/api/products/{id}");
    is(&app.get(&one).await, 200, &detail);
    for (wrong, error) in [
        (json!({ "price": 0 }), "greater_than"),
        (json!({ "price": -1 }), "greater_than"),
        (json!({ "price": "x" }), "decimal_parsing"),
        (json!({ "stock_count": -1 }), "greater_than_equal"),
        (json!({ "stock_count": 1.5 }), "int_from_float"),
        (json!({ "name": 7 }), "string_type"),
    ] {
        let mut body = new.clone();
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let refused = root.call(Method::POST, "/api/products/").json(&body).await.expect(422);
        assert_eq!(refused["detail"][0]["type"], error, "{wrong}");
    }
    is(
        &app.get("/api/products/7c2ab9ec-bddf-43ff-96a5-ff1e0785c901").await,
        404,
        r#"{"detail":"Product not found"}"#,
    );
    let no_uuid = app.get("/api/products/1").await.expect(422);
    assert_eq!(
        (&no_uuid["detail"][0]["type"], &no_uuid["detail"][0]["loc"]),
        (&json!("uuid_parsing"), &json!(["path", "product_id"]))
    );

    // Changed by administrators alone; null changes nothing that must be there.
    let put = |token: &str, body: Value| app.call(0, Method::PUT, &one).bearer(token).json(&body);
    is(
        &app.call(0, Method::PUT, &one).json(&json!({})).await,
        401,
        r#"{"detail":"Authentication required"}"#,
    );
    is(&put(&ada, json!({ "price": 1 })).await, 403, r#"{"detail":"Admin access required"}"#);
    let changed =
        put(&root.access, json!({ "name": null, "price": 99, "stock_count": 7, "description": null })).await;
    let detail = detail
        .replace("150.5", "99.0")
        .replace(r#""stock_count":40"#, r#""stock_count":7"#)
        .replace(r#""3.2%""#, "null");
    is(&changed, 200, &detail);
    is(&app.get(&one).await, 200, &detail);
    is(&app.call(0, Method::DELETE, &one).await, 401, r#"{"detail":"Authentication required"}"#);
    for _ in 0..2 {
        is(&root.call(Method::DELETE, &one).await, 204, "");
    }
    is(&app.get(&one).await, 404, r#"{"detail":"Product not found"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_categories_are_the_originals() {
    let app = setup().start().await;
    let root = app.administrator().await;
    let mut ids = Vec::new();
    for (name, category, price) in [
        ("Б", "Фрукты", json!(2)),
        ("А", "Фрукты", json!(3)),
        ("В", "Фрукты", json!("1.50")),
        ("Г", "Чай", json!(9)),
    ] {
        ids.push(store_product(&app, name, category, price, 1).await);
    }
    let needs = r#"{"detail":"Обычные пользователи должны указать категорию товаров. Используйте параметр 'category'."}"#;
    is(&app.get("/api/products/").await, 403, needs);
    is(&app.get("/api/products/").bearer(&customer(&app, "ada").await).await, 403, needs);
    is(&app.get("/api/products/").bearer("x.y.z").await, 403, needs);
    let item = |index: usize, name: &str, category: &str, price: &str| {
        let id = &ids[index];
        format!(r#"{{"name":"{name}","category":"{category}","price":{price},"product_id":"{id}"}}"#)
    };
    let page = app.get("/api/products/?category=Фрукты&skip=1&limit=1&sort_by=price").await;
    let body = format!(
        r#"{{"total":3,"page":2,"pages":3,"has_next":true,"has_prev":true,"items":[{}]}}"#,
        item(0, "Б", "Фрукты", "2.0")
    );
    is(&page, 200, &body);
    let names = async |call: Call| -> String {
        let body = call.await.expect(200);
        body["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
    };
    let list = |query: &str| app.get(&format!("/api/products/{query}"));
    assert_eq!(names(root.call(Method::GET, "/api/products/")).await, "БАВГ");
    assert_eq!(names(list("?category=Фрукты&sort_by=name&sort_order=desc")).await, "ВБА");
    assert_eq!(names(list("?category=Фрукты&min_price=1.5&max_price=2")).await, "БВ");
    assert_eq!(names(list("?category=Фрукты&min_price=1.501")).await, "БА");
    assert_eq!(names(list("by-category/Фрукты?sort_by=nonsense")).await, "БАВ");
    assert_eq!(names(list("by-category/Фрукты?sort_by=price&sort_order=asc")).await, "ВБА");
    let empty = |pages: i64| {
        format!(r#"{{"total":0,"page":1,"pages":{pages},"has_next":false,"has_prev":false,"items":[]}}"#)
    };
    is(&list("?category=Мясо").await, 200, &empty(1));
    is(&list("by-category/Мясо").await, 200, &empty(0));
    is(
        &list("?category=Фрукты&min_price=3&max_price=2").await,
        400,
        r#"{"detail":"min_price не может быть больше max_price"}"#,
    );
    for (query, place) in [
        ("skip=-1", "skip"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("sort_by=size", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("min_price=-1", "min_price"),
        ("max_price=x", "max_price"),
    ] {
        let refused = list(&format!("?category=Фрукты&{query}")).await.expect(422);
        assert_eq!(refused["detail"][0]["loc"], json!(["query", place]), "{query}");
    }
    let categories = app.get("/api/products/categories/list").await.expect(200);
    assert_eq!(categories.as_array().unwrap().len(), 12);
    assert_eq!(categories[0], json!({ "name": "Молочные продукты", "product_count": 0 }));
    assert_eq!(categories[1], json!({ "name": "Фрукты", "product_count": 3 }));
    assert_eq!(categories[11], json!({ "name": "Чай", "product_count": 1 }));
    // Redirects keep their prefix.
    for (path, status, location) in [
        ("/api/products?category=Чай", 307, "/api/products/?category=%D0%A7%D0%B0%D0%B9"),
        ("/api", 301, "/api/"),
        ("/api/system/health/", 307, "/api/system/health"),
        ("/cart-api/cart", 307, "/cart-api/cart/"),
        ("/order-api/orders", 307, "/order-api/orders/"),
        ("/order-api", 301, "/order-api/"),
    ] {
        let answer = app.get(path).await;
        let told = answer.header("location");
        assert!(answer.status == status && (told == location), "{path}: {} {told}", answer.status);
    }
    is(&app.get("/api/nothing").await, 404, r#"{"detail":"Not Found"}"#);
    is(&app.call(0, Method::PATCH, "/api/products/").await, 405, r#"{"detail":"Method Not Allowed"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cart_is_the_originals() {
    let app = setup().start().await;
    let ada = customer(&app, "ada").await;
    let milk = store_product(&app, "Молоко", "Молочные продукты", json!(150.5), 5).await;
    is(&app.get("/cart-api/").await, 200, r#"{"message":"Cart Service API"}"#);
    is(&app.get("/cart-api/health").await, 200, r#"{"status":"ok","service":"cart-service"}"#);
    is(&app.get("/cart-api/cart/").await, 401, r#"{"detail":"Authorization header missing"}"#);
    is(
        &app.get("/cart-api/cart/").header("authorization", "Basic x").await,
        401,
        r#"{"detail":"Invalid authorization header"}"#,
    );
    // Nobody is somebody by a header, nor by a token that is none.
    is(
        &app.get("/cart-api/cart/").header("x-user-id", "ada").await,
        401,
        r#"{"detail":"Authorization header missing"}"#,
    );
    is(&app.get("/cart-api/cart/").bearer("ada").await, 401, r#"{"detail":"Invalid authorization header"}"#);
    let call = |method: Method, path: &str| app.call(0, method, &format!("/cart-api{path}")).bearer(&ada);
    is(&call(Method::GET, "/cart/").await, 200, r#"{"items":[],"total":0.0}"#);
    let add = |product: &str, quantity: Value| {
        call(Method::POST, "/cart/items").json(&json!({ "product_id": product, "quantity": quantity }))
    };
    let line = add(&milk, json!(2)).await;
    let id = line.expect(200)["id"].as_str().unwrap().to_owned();
    let item = |id: &str, quantity: i64, total: &str| {
        format!(
            r#"{{"id":"{id}","product_id":"{milk}","name":"Молоко","price":150.5,"quantity":{quantity},"total_price":{total}}}"#
        )
    };
    is(&line, 200, &item(&id, 2, "301.0"));
    let second = add(&milk, json!(1)).await.expect(200)["id"].as_str().unwrap().to_owned();
    let cart =
        format!(r#"{{"items":[{},{}],"total":451.5}}"#, item(&id, 2, "301.0"), item(&second, 1, "150.5"));
    is(&call(Method::GET, "/cart/").await, 200, &cart);
    is(&call(Method::GET, "/cart/total").await, 200, r#"{"total":451.5}"#);
    is(&app.get("/user-api/users/me/cart").bearer(&ada).await, 200, &cart);
    is(&add(&milk, json!(3)).await, 400, r#"{"detail":"Not enough items in stock"}"#);
    let unknown = "7c2ab9ec-bddf-43ff-96a5-ff1e0785c901";
    is(&add(unknown, json!(1)).await, 404, &format!(r#"{{"detail":"Product with id {unknown} not found"}}"#));
    for (product, quantity, error) in [
        (milk.as_str(), json!(0), "greater_than"),
        (milk.as_str(), json!(-1), "greater_than"),
        (milk.as_str(), json!("x"), "int_parsing"),
        ("x", json!(1), "uuid_parsing"),
        ("01937d7e-0000-7000-8000-000000000001", json!(1), "uuid_version"),
    ] {
        assert_eq!(add(product, quantity).await.expect(422)["detail"][0]["type"], error, "{product}");
    }
    // A line can be changed, by its own id or by its product's.
    let set = |id: &str, quantity: i64| {
        call(Method::PUT, &format!("/cart/items/{id}")).json(&json!({ "quantity": quantity }))
    };
    is(&set(&id, 3).await, 200, &item(&id, 3, "451.5"));
    is(&set(&milk, 1).await, 200, &item(&id, 1, "150.5"));
    is(&set(&id, 5).await, 400, r#"{"detail":"Not enough items in stock"}"#);
    is(&set(unknown, 1).await, 404, r#"{"detail":"Item not found in cart"}"#);
    let remove = |id: &str| call(Method::DELETE, &format!("/cart/items/{id}"));
    is(&remove(&second).await, 200, r#"{"message":"Item removed from cart"}"#);
    add(&milk, json!(1)).await.expect(200);
    is(&remove(&milk).await, 200, r#"{"message":"Removed 2 items from cart"}"#);
    is(&remove(&milk).await, 404, r#"{"detail":"Item not found in cart"}"#);
    is(&remove("x").await, 422, &remove("x").await.text());
    is(&call(Method::POST, "/cart/checkout").await, 400, r#"{"detail":"Cart is empty"}"#);
    add(&milk, json!(1)).await.expect(200);
    is(&call(Method::DELETE, "/cart/").await, 200, r#"{"message":"Cart cleared"}"#);
    is(&call(Method::GET, "/cart/").await, 200, r#"{"items":[],"total":0.0}"#);

    let forbidden = r#"{"detail":"Admin access required"}"#;
    is(&call(Method::GET, "/carts/").await, 403, forbidden);
    is(&app.get("/cart-api/carts/").header("admin", "true").await, 403, forbidden);
    let second = add(&milk, json!(2)).await.expect(200)["id"].as_str().unwrap().to_owned();
    let carts = app.administrator().await.call(Method::GET, "/cart-api/carts/").await.expect(200);
    assert_eq!(carts["ada"]["items"][&second]["quantity"], 2);

    is(
        &call(Method::POST, &format!("/products/{milk}/view")).await,
        200,
        r#"{"message":"Product view recorded"}"#,
    );
    is(
        &call(Method::POST, &format!("/products/{unknown}/view")).await,
        404,
        &format!(r#"{{"detail":"Product with id {unknown} not found"}}"#),
    );
    let views = call(Method::GET, "/products/recent-views").await.expect(200);
    assert_eq!((views.as_array().unwrap().len(), &views[0]["product_id"]), (1, &json!(milk)));
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_and_what_was_spent_are_the_originals() {
    let app = setup().start().await;
    let root = app.administrator().await;
    let (ada, bob) = (customer(&app, "ada").await, customer(&app, "bob").await);
    let milk = store_product(&app, "Молоко", "Молочные продукты", json!(150.5), 5).await;
    is(&app.get("/order-api/").await, 200, r#"{"message":"Order Service API"}"#);
    is(&app.get("/order-api/health").await, 200, r#"{"status":"ok","service":"order-service"}"#);
    let statuses = r#"{"CREATED":"Создан","PROCESSING":"Обрабатывается","SHIPPING":"Доставляется","DELIVERED":"Доставлен","CANCELLED":"Отменен"}"#;
    is(&app.get("/order-api/orders/statuses/list").await, 200, statuses);
    is(&app.get("/order-api/orders/").await, 401, r#"{"detail":"Authorization header missing"}"#);
    let call = |token: &str, method: Method, path: &str| app.call(0, method, path).bearer(token);
    is(&call(&ada, Method::POST, "/user-api/users/me/orders").await, 400, r#"{"detail":"Cart is empty"}"#);
    is(&app.post("/user-api/users/me/orders").await, 401, r#"{"detail":"Not authenticated"}"#);
    let add = json!({ "product_id": milk, "quantity": 2 });
    call(&ada, Method::POST, "/cart-api/cart/items").json(&add).await.expect(200);
    let ordered = call(&ada, Method::POST, "/user-api/users/me/orders").await;
    let order = ordered.expect(200);
    let (id, at) = (order["id"].as_str().unwrap(), order["created_at"].as_str().unwrap());
    assert_eq!(at.len(), "2026-11-27T10:15:30.123000".len());
    let body = |status: &str, updated: &str| {
        format!(
            r#"{{"id":"{id}","user_id":"ada","items":[{{"product_id":"{milk}","name":"Молоко","price":150.5,"quantity":2}}],"total":301.0,"status":"{status}","created_at":"{at}","updated_at":"{updated}"}}"#
        )
    };
    is(&ordered, 200, &body("CREATED", at));
    let detail = app.get(&format!("/api/products/{milk}")).await.expect(200);
    assert_eq!(detail["stock_count"], 3, "the stock decreases");
    is(&call(&ada, Method::GET, "/user-api/users/me/total-spent").await, 200, r#"{"total_spent":301.0}"#);
    let me = call(&ada, Method::GET, "/user-api/users/me").await.expect(200);
    assert_eq!(me["total_spent"], 301.0);

    let one = format!("/order-api/orders/{id}");
    is(&call(&ada, Method::GET, &one).await, 200, &body("CREATED", at));
    is(&call(&bob, Method::GET, &one).await, 403, r#"{"detail":"Access denied"}"#);
    is(&call(&bob, Method::GET, &one).header("admin", "true").await, 403, r#"{"detail":"Access denied"}"#);
    is(&app.get(&one).header("x-user-id", "ada").await, 401, r#"{"detail":"Authorization header missing"}"#);
    is(&call(&ada, Method::GET, "/order-api/orders/x").await, 404, r#"{"detail":"Order not found"}"#);
    assert_eq!(
        call(&ada, Method::GET, "/order-api/orders/").await.text(),
        format!("[{}]", body("CREATED", at))
    );
    is(&call(&bob, Method::GET, "/order-api/orders/").await, 200, "[]");
    assert_eq!(root.call(Method::GET, "/order-api/orders/").await.expect(200).as_array().unwrap().len(), 1);
    let summary = format!(r#"{{"id":"{id}","status":"CREATED","total":301.0,"created_at":"{at}"}}"#);
    is(&call(&ada, Method::GET, "/user-api/users/me/orders").await, 200, &format!("[{summary}]"));
    let profile = call(&ada, Method::GET, "/user-api/users/me/profile").await;
    let text = profile.text();
    assert!(text.starts_with(r#"{"username":"ada","full_name":"","phone":"","id":"#), "{text}");
    assert!(
        text.ends_with(&format!(
            r#""total_spent":301.0,"is_admin":false,"current_cart_total":0.0,"orders":[{summary}]}}"#
        )),
        "{text}"
    );

    // A direct order: at the catalogue's price, of what there is.
    let direct = |items: Value| {
        call(&ada, Method::POST, "/order-api/orders/").json(&json!({ "items": items, "total": -5 }))
    };
    let item = json!({ "product_id": milk, "name": "x", "price": 0.01, "quantity": 1 });
    assert_eq!(direct(json!([item])).await.expect(200)["total"], 150.5);
    let mut many = item.clone();
    many["quantity"] = json!(3);
    is(&direct(json!([many])).await, 400, r#"{"detail":"Not enough items in stock"}"#);
    for (items, place) in [
        (json!([]), json!(["body", "items"])),
        (json!("x"), json!(["body", "items"])),
        (json!([7]), json!(["body", "items", 0])),
        (
            json!([{ "product_id": milk, "name": "x", "price": 1, "quantity": 0 }]),
            json!(["body", "items", 0, "quantity"]),
        ),
        (json!([{ "product_id": milk, "price": 1, "quantity": 1 }]), json!(["body", "items", 0, "name"])),
    ] {
        assert_eq!(direct(items.clone()).await.expect(422)["detail"][0]["loc"], place, "{items}");
    }
    is(
        &direct(json!([{ "product_id": "p1", "name": "x", "price": 1, "quantity": 1 }])).await,
        404,
        r#"{"detail":"Product with id p1 not found"}"#,
    );

    // Administrators set any status; customers cancel.
    let set = |token: &str, query: &str| call(token, Method::PUT, &format!("{one}/status{query}"));
    is(&set(&ada, "?status=SHIPPING").await, 403, r#"{"detail":"Admin access required"}"#);
    is(
        &set(&ada, "?status=SHIPPING").header("admin", "true").await,
        403,
        r#"{"detail":"Admin access required"}"#,
    );
    assert_eq!(
        set(&root.access, "").json(&json!({ "status": "SHIPPING" })).await.expect(422)["detail"][0]["loc"],
        json!(["query", "status"])
    );
    is(
        &set(&root.access, "?status=LOST").await,
        400,
        r#"{"detail":"Invalid status. Available statuses: CREATED, PROCESSING, SHIPPING, DELIVERED, CANCELLED"}"#,
    );
    is(
        &set(&root.access, "?status=SHIPPING").await,
        200,
        r#"{"message":"Order status updated to SHIPPING"}"#,
    );
    let cancel = |token: &str| call(token, Method::PUT, &format!("{one}/cancel"));
    is(&cancel(&bob).await, 403, r#"{"detail":"Access denied"}"#);
    let canceled = cancel(&ada).await;
    let updated = canceled.expect(200)["order"]["updated_at"].as_str().unwrap().to_owned();
    is(
        &canceled,
        200,
        &format!(r#"{{"message":"Order cancelled","order":{}}}"#, body("CANCELLED", &updated)),
    );
    is(&cancel(&ada).await, 400, r#"{"detail":"Cannot cancel order with status CANCELLED"}"#);
    is(&call(&ada, Method::GET, "/user-api/users/me/total-spent").await, 200, r#"{"total_spent":150.5}"#);
    let notify = json!({ "order_id": id, "status": "CREATED" });
    app.post("/user-api/users/notify/order-status").json(&notify).await.expect(401);
    is(
        &root.call(Method::POST, "/user-api/users/notify/order-status").json(&notify).await,
        200,
        r#"{"message":"Order status update received"}"#,
    );
    check(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_legacy_rules_the_originals_demonstrations_work_and_no_account_is_anybody_elses() {
    not_on_spin("a variable of its own");
    let app = setup().with("legacy_rules", "on").start().await;
    let token =
        app.post("/user-api/token").form(&[("username", "swagger_admin"), ("password", "admin123")]).await;
    let admin = token.expect(200)["access_token"].as_str().unwrap().to_owned();
    let body = json!({ "name": "Молоко", "category": "Чай", "price": 10, "stock_count": 9 });
    let created = app.post("/api/products/").bearer(&admin).json(&body).await.expect(201);
    let milk = created["product_id"].as_str().unwrap();
    let user =
        app.post("/user-api/token").form(&[("username", "swagger_user"), ("password", "password123")]).await;
    let user = user.expect(200)["access_token"].as_str().unwrap().to_owned();
    let anyone = app.get("/user-api/swagger-admin-token").await.expect(200);
    assert_eq!((&anyone["username"], &anyone["is_admin"]), (&json!("swagger_admin"), &json!(true)));
    // A name in a header has a cart of its own, also if an account is called so.
    let add = json!({ "product_id": milk, "quantity": 1 });
    for call in [
        app.post("/cart-api/cart/items").header("x-user-id", "swagger_user"),
        app.post("/cart-api/cart/items").bearer("any text"),
    ] {
        call.json(&add).await.expect(200);
    }
    is(&app.get("/cart-api/cart/").bearer(&user).await, 200, r#"{"items":[],"total":0.0}"#);
    let order = app.post("/cart-api/cart/checkout").header("x-user-id", "swagger_user").await.expect(200);
    assert_eq!(order["user_id"], "swagger_user");
    is(&app.get("/order-api/orders/").bearer(&user).await, 200, "[]");
    let path = format!("/order-api/orders/{}/status?status=SHIPPING", order["id"].as_str().unwrap());
    is(&app.call(0, Method::PUT, &path).await, 403, r#"{"detail":"Admin access required"}"#);
    is(
        &app.call(0, Method::PUT, &path).header("admin", "true").await,
        200,
        r#"{"message":"Order status updated to SHIPPING"}"#,
    );
    let wrong = app.call(0, Method::PUT, &path).header("admin", "perhaps").await.expect(422);
    assert_eq!(wrong["detail"][0]["loc"], json!(["header", "admin"]));
    assert!(app.get("/cart-api/carts/").header("admin", "yes").await.expect(200)["any text"].is_object());
    // Without the rules there is none of this.
    let app = app.restart(&[("legacy_rules", "off")]).await;
    app.get("/user-api/swagger-admin-token").await.expect(404);
    app.get("/cart-api/cart/").header("x-user-id", "swagger_user").await.expect(401);
}
