//! Log lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging to standard error; `filter` is a level or a list of `target=level` directives.
///
/// Colour only on a terminal and without NO_COLOR. A filter that does not parse falls back to `info` and
/// says so. Later calls do nothing.
pub fn init(filter: &str) {
    let (parsed, complaint) = match EnvFilter::try_new(filter) {
        Ok(parsed) => (parsed, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let started = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        .try_init();
    if let (Ok(()), Some(error)) = (started, complaint) {
        tracing::warn!(filter, %error, "cannot read the log filter, using info");
    }
}
