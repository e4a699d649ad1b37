//! What the person in front of the terminal sees once Octo runs.

use std::fmt::Write;
use std::path::Path;

use octo_host::{Host, LogLine, LogSource};

use crate::secret::Secret;

/// What is where, and what to try first.
pub(crate) fn text(host: &Host, secret: Option<&Secret>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut text, host, secret);
    text
}

fn write_text(text: &mut String, host: &Host, secret: Option<&Secret>) -> std::fmt::Result {
    let base = host.url("");
    writeln!(text, "\nOcto is ready on {base}\n")?;
    let mut routes: Vec<_> = host.app().routes().iter().collect();
    routes.sort_by_key(|route| route.pattern());
    let width = routes.iter().map(|route| route.pattern().len()).max().unwrap_or(0);
    writeln!(text, "Routes")?;
    for route in routes {
        writeln!(text, "  {:width$}  {}", route.pattern(), route.component())?;
    }
    let private: Vec<_> = host.app().private_components().collect();
    writeln!(text, "Private, for other components only\n  {}", private.join(", "))?;
    writeln!(text, "State\n  {}", shown(host.state_dir()))?;
    if let Some(secret) = secret {
        writeln!(text, "Secret of the first administrator\n  {}", shown(&secret.file))?;
    }
    writeln!(
        text,
        "\nTry, in another terminal:\n\n  curl -s {base}/auth/register -H 'content-type: application/json' \\\n    \
         -d '{{\"email\":\"ada@example.com\",\"password\":\"correct horse battery staple\"}}'\n\n\
         Ctrl-C stops. What the components say:\n"
    )
}

/// Short when it is below the current folder.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// Prints a log line, in one piece: standard error is not buffered, and every piece is a system call.
pub(crate) fn say(line: &LogLine) {
    let text = match line.source {
        LogSource::Stdout | LogSource::Stderr => format!("{}\n", line.text),
        LogSource::Host => format!("host: component {} {}\n", line.component, line.text),
    };
    // Nobody reads it any more: no reason to stop.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}
