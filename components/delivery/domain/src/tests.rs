//! Delivery on both databases: what is promised, whatever crashes and however many come at the same time.

mod carriers;
mod pricing;
mod random;
mod rates;
mod rows;
mod scene;
