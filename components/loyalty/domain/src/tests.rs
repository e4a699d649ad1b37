//! Loyalty on both databases: what is promised, whatever crashes and however many come at the same time.

mod at_once;
mod events;
mod lots;
mod random;
mod rows;
mod scene;
mod transfers;
