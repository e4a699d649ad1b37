//! The program `octo`.
fn main() {}
