//! What the person in front of the terminal sees: which step runs, and how long each took.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Whether work is shown while it runs.
///
/// Progress goes to standard error, so that standard output stays for results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Steps are announced and the output of child processes is streamed.
    Shown,
    /// Nothing is printed; the output of a child process appears only when it fails.
    Quiet,
}

impl Progress {
    /// One line about what is going on.
    pub fn note(self, line: impl Display) {
        if self == Self::Shown {
            eprintln!("{line}");
        }
    }
}

/// A numbered sequence of steps: `[2/6] Building the components`.
#[derive(Debug)]
pub struct Steps {
    total: usize,
    done: usize,
    started: Instant,
}

impl Steps {
    /// A sequence of `total` steps that starts now.
    pub fn new(total: usize) -> Self {
        Self { total, done: 0, started: Instant::now() }
    }

    /// Announces the next step, runs it and says how long it took.
    ///
    /// # Errors
    /// The step's own error, with the step's number and title in front.
    pub fn run<T>(&mut self, title: &str, step: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.done += 1;
        let label = format!("[{}/{}]", self.done, self.total);
        eprintln!("\n{label} {title}");
        let started = Instant::now();
        let result = step();
        let took = spell(started.elapsed());
        match &result {
            Ok(_) => eprintln!("{label} done in {took}"),
            Err(_) => eprintln!("{label} FAILED after {took}"),
        }
        result.map_err(|error| error.context(format!("step {label} failed: {title}")))
    }

    /// The time since the first step, for people.
    pub fn elapsed(&self) -> String {
        spell(self.started.elapsed())
    }
}

/// A duration as a person says it: `0.4 s`, `12 s`, `3 min 5 s`.
pub fn spell(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        assert_eq!(spell(Duration::from_millis(420)), "0.4 s");
        assert_eq!(spell(Duration::from_secs(59)), "59 s");
        assert_eq!(spell(Duration::from_secs(185)), "3 min 5 s");
    }

    #[test]
    fn a_failed_step_names_itself() {
        let mut steps = Steps::new(2);
        let error =
            steps.run("Building", || -> anyhow::Result<()> { anyhow::bail!("no compiler") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "step [1/2] failed: Building: no compiler");
    }
}
