//! Products: lists, searches, changes, imports.

use octo_core::testing::ready;
use octo_databases::on_both;

use super::scene::{ENTROPY, START, Scene, key, product};
use crate::{
    Catalogue, Customer, NewProduct, Product,
    catalogue::{Direction, Filter, Place, Refusal, Sort},
    imports::{self, Row, WrongRow},
    product::Change,
    search::Search,
    stock::{self, Correction},
    views,
};

fn names(found: &[Product]) -> Vec<&str> {
    found.iter().map(|product| product.name.as_str()).collect()
}

/// All of a list, page by page.
fn listed(scene: &Scene, filter: &Filter, limit: i64) -> Vec<Product> {
    let sql = scene.sql();
    let catalogue = Catalogue::new(&sql);
    let (mut all, mut place): (Vec<Product>, Option<Place>) = (Vec::new(), None);
    loop {
        let page = ready(catalogue.list(filter, place.as_ref(), limit)).unwrap().unwrap();
        let Some(last) = page.last() else { return all };
        place = Some(filter.place(last));
        all.extend(page);
    }
}

#[test]
fn lists_are_sorted_filtered_and_read_in_pages_of_any_length() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        for (name, category, price, stock) in [
            ("Кефир", "Молочные продукты", 300, 1),
            ("Айран", "Молочные продукты", 200, 0),
            ("Яблоко", "Фрукты", 200, 5),
            ("Ананас", "Фрукты", 900, 5),
            ("Айран", "Молочные продукты", 100, 5),
        ] {
            scene.add(&NewProduct { category: category.into(), ..product(name, price, stock) });
        }
        let of = |filter: &Filter| {
            let whole = listed(&scene, filter, 100);
            for limit in 1..4 {
                assert_eq!(listed(&scene, filter, limit), whole, "{filter:?}");
            }
            let (total, page) = ready(Catalogue::new(&scene.sql()).page(filter, 1, 2)).unwrap();
            assert_eq!((total, &page[..]), (whole.len() as i64, &whole[1..whole.len().min(3)]));
            whole.iter().map(|product| format!("{} {}", product.name, product.price)).collect::<Vec<_>>()
        };
        let sorted = |sort, direction| Filter { sort, direction, ..Filter::default() };
        let (up, down) = (Direction::Ascending, Direction::Descending);
        assert_eq!(
            of(&sorted(Sort::Name, up)),
            ["Айран 200", "Айран 100", "Ананас 900", "Кефир 300", "Яблоко 200"]
        );
        assert_eq!(
            of(&sorted(Sort::Price, down)),
            ["Ананас 900", "Кефир 300", "Яблоко 200", "Айран 200", "Айран 100"]
        );
        assert_eq!(of(&sorted(Sort::Added, down)).first().unwrap(), "Айран 100");
        let milk =
            Filter { category: Some("Молочные продукты".into()), ..sorted(Sort::Price, up) };
        assert_eq!(of(&milk), ["Айран 100", "Айран 200", "Кефир 300"]);
        let bounds = Filter { min_price: Some(200), max_price: Some(300), ..sorted(Sort::Price, up) };
        assert_eq!(of(&bounds), ["Айран 200", "Яблоко 200", "Кефир 300"], "both bounds are in");
        assert_eq!(of(&Filter { in_stock: true, ..milk.clone() }), ["Айран 100", "Кефир 300"]);
        let place = Place { id: 1, name: Some("A".into()), price: None };
        assert!(ready(Catalogue::new(&scene.sql()).list(&milk, Some(&place), 9)).unwrap().is_none());
    });
}

#[test]
fn a_search_finds_the_same_on_both_databases() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let described = |name: &str, description: &str| NewProduct {
            description: Some(description.into()),
            manufacturer: Some("ООО «Ромашка»".into()),
            ..product(name, 100, 1)
        };
        for (name, description) in [
            ("Молоко 3.2%", "цельное, \"деревенское\""),
            ("Ёлочный МЁД", "100% мёд; не сироп"),
            ("Кока-Кола 0.5л", "it's cold \\ sweet_drink"),
            ("Сок", "молочный? нет"),
            ("Straße ÀÉ", "ǅ ﬁne"),
            ("100 %", ""),
        ] {
            scene.add(&described(name, description));
        }
        let found = |text: &str| {
            let filter = Filter { search: Search::of(text), ..Filter::default() };
            let found = listed(&scene, &filter, 2);
            names(&found).join("|")
        };
        for text in ["молоко", "Молоко", "МОЛОКО", "молоко 3.2%", "3.2%"] {
            assert_eq!(found(text), "Молоко 3.2%", "{text}");
        }
        for text in ["елочный мед", "ЁЛОЧНЫЙ", "мед", "МЁД елоч"] {
            assert_eq!(found(text), "Ёлочный МЁД", "{text}");
        }
        assert_eq!(found("мол"), "Молоко 3.2%|Сок");
        assert_eq!(found("кола"), "Кока-Кола 0.5л");
        assert_eq!(found("кока-к"), "Кока-Кола 0.5л");
        assert_eq!(found("локо"), "", "a term begins a word");
        assert_eq!(found("%"), "Молоко 3.2%|Ёлочный МЁД|100 %");
        assert_eq!(found("100%"), "Ёлочный МЁД");
        assert_eq!(found("_"), "Кока-Кола 0.5л");
        assert_eq!(found("\\"), "Кока-Кола 0.5л");
        assert_eq!(found("'"), "Кока-Кола 0.5л");
        assert_eq!(found("\""), "Молоко 3.2%");
        assert_eq!(found("\"деревенское\""), "Молоко 3.2%");
        assert_eq!(found("straße"), "Straße ÀÉ");
        assert_eq!(found("àé"), "Straße ÀÉ");
        assert_eq!(found("NEAR(a b) OR *"), "");
        assert_eq!(found("ромашка сок"), "Сок");
        // What is changed is found by its new words alone.
        let filter = Filter { search: Search::of("сок"), ..Filter::default() };
        let juice = listed(&scene, &filter, 9).remove(0);
        let change = Change { name: Some("Морс".into()), description: Some(None), ..Change::default() };
        ready(Catalogue::new(&scene.sql()).change(&juice.uuid, &change, 9, START)).unwrap();
        assert_eq!(
            (found("сок").as_str(), found("морс").as_str(), found("мол").as_str()),
            ("", "Морс", "Молоко 3.2%")
        );
        ready(Catalogue::new(&scene.sql()).withdraw(&juice.uuid, 9, START)).unwrap();
        assert_eq!(found("морс"), "");
    });
}

#[test]
fn a_product_is_added_once_for_each_key_changed_and_withdrawn() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let sql = scene.sql();
        let catalogue = Catalogue::new(&sql);
        let new = product("Молоко", 100, 5);
        let add =
            |uuid: &str, fingerprint: &str| ready(catalogue.add(&new, uuid, 9, key("k", fingerprint), START));
        let (milk, repeated) = add("a", "f").unwrap();
        assert!(!repeated);
        assert_eq!(add("b", "f").unwrap(), (milk.clone(), true));
        assert!(matches!(add("c", "g"), Err(Refusal::KeyReused)));
        let change = Change { stock: Some(2), category: Some("Сладкое".into()), ..Change::default() };
        let changed = ready(catalogue.change("a", &change, 9, START)).unwrap();
        assert_eq!((changed.stock, changed.category.as_str(), changed.price), (2, "Сладкое", 100));
        assert_eq!(ready(catalogue.change("a", &Change::default(), 9, START)).unwrap(), changed);
        let categories = ready(catalogue.categories("", 9)).unwrap();
        assert_eq!((categories.len(), categories[0].products), (1, 1));
        assert!(ready(catalogue.withdraw("a", 9, START)).unwrap());
        assert!(!ready(catalogue.withdraw("a", 9, START)).unwrap());
        assert!(matches!(ready(catalogue.change("a", &change, 9, START)), Err(Refusal::NoSuchProduct)));
        assert_eq!(ready(catalogue.categories("", 9)).unwrap(), []);
        scene.expect_sound();
    });
}

#[test]
fn each_change_of_a_stock_is_in_its_ledger() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 5));
        scene.put(1, &milk, 2).unwrap();
        let order = scene.order(1, crate::checkout::Agreement::Any).unwrap();
        scene.orders(async |orders| orders.cancel(&order, 1, START).await).unwrap();
        let sql = scene.sql();
        let correct = |change: i64, name: &str, note: &str| {
            ready(stock::correct(&sql, &milk, Correction { change, note, actor: 9 }, key(name, ""), START))
        };
        assert_eq!(correct(-1, "a", "broken").unwrap().0.stock, 4);
        assert!(correct(-1, "a", "broken").unwrap().1);
        assert!(matches!(correct(-2, "a", "broken"), Err(stock::Refusal::KeyReused)));
        assert!(matches!(correct(-5, "b", ""), Err(stock::Refusal::OutOfRange(4))));
        let ledger = ready(stock::ledger(&sql, milk.id, i64::MAX, 9)).unwrap();
        let ledger: Vec<_> = ledger
            .iter()
            .map(|entry| {
                (entry.change, entry.stock, entry.reason.as_str(), entry.order.is_some(), entry.actor)
            })
            .collect();
        assert_eq!(
            ledger,
            [
                (-1, 4, "correction", false, 9),
                (2, 5, "cancellation", true, 1),
                (-2, 3, "order", true, 1),
                (5, 5, "initial", false, 9)
            ]
        );
        scene.add(&product("Хлеб", 100, 1));
        let low = |below| names(&ready(stock::low(&sql, below, (-1, 0), 9)).unwrap()).join("|");
        assert_eq!((low(2), low(5), low(1)), ("Хлеб".into(), "Хлеб|Молоко".into(), String::new()));
        scene.expect_sound();
    });
}

#[test]
fn an_import_makes_and_changes_products_once() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let milk = scene.add(&product("Молоко", 100, 5));
        let mut rows: Vec<Row> = (0..600)
            .map(|number| Row {
                uuid: crate::uuid(&*ENTROPY),
                product: product(&format!("Товар {number}"), 100 + number, 7),
                has_stock: true,
            })
            .collect();
        rows.push(Row { uuid: milk.uuid.clone(), product: product("Кефир", 90, 0), has_stock: false });
        let wrong = [WrongRow { row: 3, pointer: "/price".into(), rule: "is required".into() }];
        let sql = scene.sql();
        let begin = || ready(imports::begin(&sql, "i", &rows, &wrong, 9, key("k", "f"), START)).unwrap();
        let (import, repeated) = begin();
        assert_eq!((import.rows_total, import.rows_done, import.rows_wrong, repeated), (601, 0, 1, false));
        assert!(begin().1);
        scene.drain(START);
        scene.drain(START);
        let import = ready(imports::by_uuid(&sql, "i")).unwrap();
        assert_eq!(import.rows_done, 601);
        assert!(import.wrong.contains("is required"));
        let products: Vec<(i64,)> = scene.rows("SELECT COUNT(*) FROM shop_products");
        assert_eq!(products, [(601,)]);
        let kefir = ready(Catalogue::new(&sql).any(&milk.uuid)).unwrap();
        assert_eq!((kefir.name.as_str(), kefir.price, kefir.stock), ("Кефир", 90, 5));
        let filter = Filter { search: Search::of("товар 599"), ..Filter::default() };
        assert_eq!(listed(&scene, &filter, 9).len(), 1);
        scene.expect_sound();
    });
}

#[test]
fn the_last_ten_products_looked_at_are_remembered_each_once() {
    on_both(|shared| {
        let scene = Scene::on(shared);
        let products: Vec<_> =
            (0..12).map(|number| scene.add(&product(&format!("{number}"), 1, 1))).collect();
        let (sql, customer) = (scene.sql(), Customer::Account(1));
        for (second, index) in (0..).zip([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 5, 11]) {
            let now = super::scene::after(second);
            assert!(ready(views::remember(&sql, &customer, &products[index].uuid, now)).unwrap());
        }
        assert!(!ready(views::remember(&sql, &customer, "none", START)).unwrap());
        let recent = ready(views::recent(&sql, &customer)).unwrap();
        let recent: Vec<_> = recent.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(recent, ["11", "5", "10", "9", "8", "7", "6", "4", "3", "2"]);
        let kept: Vec<(i64,)> = scene.rows("SELECT COUNT(*) FROM shop_views");
        assert_eq!(kept, [(10,)]);
    });
}
