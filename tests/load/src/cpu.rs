//! The processor time this process has used: where rates and latencies suffer from whatever else the
//! machine does, it hardly does.

use std::fs;
use std::time::Duration;

/// What one unit of the kernel's figures is: Linux shows them in hundredths of a second, whatever it
/// counts in.
const TICK: Duration = Duration::from_millis(10);

/// The processor time of all threads so far, in user and kernel mode; `None` where there is no `/proc`.
pub(crate) fn used() -> Option<Duration> {
    parse(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// See proc_pid_stat(5): the program's name is in parentheses and may contain anything; of the fields
/// behind it, the 12th and 13th are user and kernel time.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some(TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_kernel_time_are_added() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 99";
        assert_eq!(parse(stat), Some(Duration::from_millis(1750)));
    }
}
