//! Jobs: work that is done in the background.

mod api;
