//! The pages, as a browser without a script sees them: every step is a link or a form of the page before.

mod browser;

mod forms;
mod newcomer;
mod pages;
