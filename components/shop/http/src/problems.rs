//! Refusals of the domain as problems (RFC 9457).

use http::StatusCode;
use octo_core::{Hundredths, Problem, problem::FieldError};
use octo_http::idempotency;
use octo_shop::{
    cart, catalogue,
    checkout::{self, Quote, QuotedLine},
    imports, orders, stock,
};

/// 404: there is no such product.
pub fn no_such_product() -> Problem {
    let detail = "There is no product with this id, or it is not sold any more.";
    Problem::new(StatusCode::NOT_FOUND, "no-such-product", "There is no such product", detail)
}

/// 404: there is no such order.
pub fn no_such_order() -> Problem {
    let detail = "There is no order with this id, or it is somebody else's.";
    Problem::new(StatusCode::NOT_FOUND, "no-such-order", "There is no such order", detail)
}

/// 409: there is not enough.
pub fn not_enough(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, "not-enough-stock", "There is not enough in stock", detail)
}

/// Why a product is not as it should be.
pub fn of_catalogue(refusal: catalogue::Refusal) -> Problem {
    match refusal {
        catalogue::Refusal::NoSuchProduct => no_such_product(),
        catalogue::Refusal::KeyReused => idempotency::Refusal::Mismatch.into(),
        catalogue::Refusal::Sql(error) => error.into(),
    }
}

/// Why a stock is not corrected.
pub fn of_stock(refusal: stock::Refusal) -> Problem {
    match refusal {
        stock::Refusal::NoSuchProduct => no_such_product(),
        stock::Refusal::OutOfRange(stock) => {
            not_enough(format!("There are {stock}: the stock would be below zero, or above what may be."))
        }
        stock::Refusal::KeyReused => idempotency::Refusal::Mismatch.into(),
        stock::Refusal::Sql(error) => error.into(),
    }
}

/// Why an import is not there.
pub fn of_imports(refusal: imports::Refusal) -> Problem {
    match refusal {
        imports::Refusal::NoSuchImport => {
            let detail = "There is no import with this id.";
            Problem::new(StatusCode::NOT_FOUND, "no-such-import", "There is no such import", detail)
        }
        imports::Refusal::KeyReused => idempotency::Refusal::Mismatch.into(),
        imports::Refusal::Sql(error) => error.into(),
    }
}

/// Why a cart is not as it should be.
pub fn of_cart(refusal: cart::Refusal) -> Problem {
    match refusal {
        cart::Refusal::NoSuchProduct => no_such_product(),
        cart::Refusal::NoSuchLine => {
            let detail = "The cart does not have this product.";
            Problem::new(StatusCode::NOT_FOUND, "not-in-cart", "It is not in the cart", detail)
        }
        cart::Refusal::NotEnough(stock) => not_enough(format!("There are {stock}.")),
        cart::Refusal::Full => {
            let detail = format!("A cart has at most {} lines.", octo_shop::schema::MAX_LINES);
            Problem::new(StatusCode::CONFLICT, "cart-full", "The cart is full", detail)
        }
        cart::Refusal::Sql(error) => error.into(),
    }
}

/// Why there is no order.
pub fn of_checkout(refusal: checkout::Refusal) -> Problem {
    match refusal {
        checkout::Refusal::Empty => {
            let detail = "Put something into the cart first.";
            Problem::new(StatusCode::CONFLICT, "cart-empty", "The cart is empty", detail)
        }
        checkout::Refusal::NoSuchProduct(_) => no_such_product(),
        checkout::Refusal::Missing(quote) => {
            let missing = quote.missing().map(|line| match line.available {
                0 => format!("{} is not there any more", line.what.name),
                available => format!("of {} there are {available}", line.what.name),
            });
            let problem = not_enough(sentence(missing.collect()));
            Problem {
                errors: of_lines(&quote, quote.missing(), |line| {
                    format!("of this there are {}", line.available)
                }),
                ..problem
            }
        }
        checkout::Refusal::Dearer(quote) => {
            let risen = quote.risen().map(|line| {
                let (then, now) = (Hundredths(line.price_seen), Hundredths(line.what.price));
                format!("{} costs {now} and not {then}", line.what.name)
            });
            let mut detail = sentence(risen.collect());
            if !detail.is_empty() {
                detail.push(' ');
            }
            let total = Hundredths(quote.total());
            detail.push_str(&format!("The total is {total}; send it as `total` to agree to it."));
            let problem =
                Problem::new(StatusCode::CONFLICT, "price-changed", "It costs more than you saw", detail);
            let now = |line: &QuotedLine| format!("costs {}", Hundredths(line.what.price));
            Problem { errors: of_lines(&quote, quote.risen(), now), ..problem }
        }
        checkout::Refusal::TooMuch => {
            let detail = "An order must come to less than a million million.";
            Problem::new(StatusCode::CONFLICT, "order-too-large", "The order is too large", detail)
        }
        checkout::Refusal::KeyReused => idempotency::Refusal::Mismatch.into(),
        checkout::Refusal::Sql(error) => error.into(),
    }
}

/// What there is to say of some lines of a quote, each with its place among all of them.
fn of_lines<'a>(
    quote: &'a Quote,
    some: impl Iterator<Item = &'a QuotedLine>,
    rule: impl Fn(&QuotedLine) -> String,
) -> Vec<FieldError> {
    let place = |line: &QuotedLine| quote.lines.iter().position(|other| std::ptr::eq(other, line));
    some.filter_map(|line| Some(FieldError { pointer: format!("/items/{}", place(line)?), rule: rule(line) }))
        .collect()
}

/// Facts as one sentence.
fn sentence(facts: Vec<String>) -> String {
    if facts.is_empty() { String::new() } else { format!("{}.", facts.join("; ")) }
}

/// Why an order is not as it should be.
pub fn of_orders(refusal: orders::Refusal) -> Problem {
    match refusal {
        orders::Refusal::NoSuchOrder => no_such_order(),
        orders::Refusal::NotCancelable(status) => {
            let detail = format!("Its status is {}.", status.name());
            Problem::new(StatusCode::CONFLICT, "order-final", "The order cannot be canceled", detail)
        }
        orders::Refusal::Missing => {
            not_enough("The order was canceled, and what it had is not there any more.")
        }
        orders::Refusal::Sql(error) => error.into(),
    }
}
