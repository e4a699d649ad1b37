//! The two REST providers' own rules.
//!
//! They are complete little services, so that the application can be tried and tested end to end; a real
//! provider takes the place of either by setting the router's variables. The router knows nothing of this
//! crate, and the providers know nothing of the router.
//!
//! A provider processes a message by reversing its characters.

pub mod call_log;
pub mod fault;
pub mod free;
pub mod paid;
pub mod rest;

/// Processes a message: its characters (Unicode scalar values) in reverse order.
pub fn process(message: &str) -> String {
    message.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::process;

    #[test]
    fn characters_are_reversed_not_bytes() {
        assert_eq!(process("hello world"), "dlrow olleh");
        assert_eq!(process("абв"), "вба");
        assert_eq!(process("日本🦀"), "🦀本日");
        assert_eq!(process(""), "");
    }
}
