//! How the tour talks: numbered steps, what was done, what was seen, and whether that is what should be seen.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::Instant;

/// The narrator; counts what failed.
pub struct Tour {
    colour: bool,
    began: Instant,
    step: u32,
    failures: Vec<String>,
}

impl Tour {
    /// A new tour; colour only on a terminal and without NO_COLOR.
    pub fn begin() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, began: Instant::now(), step: 0, failures: Vec::new() }
    }

    /// Opens a step.
    pub fn step(&mut self, title: impl Display) {
        self.step += 1;
        let elapsed = self.began.elapsed().as_secs_f64();
        self.line(&format!(
            "\n{}  {}",
            self.paint("1", &format!("{}. {title}", self.step)),
            self.paint("2", &format!("[{elapsed:.1} s]"))
        ));
    }

    /// What was done.
    pub fn did(&self, what: impl Display) {
        self.line(&format!("   {} {what}", self.paint("36", "$")));
    }

    /// What was seen; every line of it.
    pub fn saw(&self, what: impl Display) {
        for line in what.to_string().trim_end().lines() {
            self.line(&format!("     {line}"));
        }
    }

    /// Holds what was seen against what should be seen.
    pub fn check(&mut self, holds: bool, claim: impl Display) {
        if holds {
            self.line(&format!("   {} {claim}", self.paint("32", "✓")));
        } else {
            self.line(&format!("   {} {claim}", self.paint("31", "✗ NOT SO:")));
            self.failures.push(format!("step {}: {claim}", self.step));
        }
    }

    /// A step that could not be carried out.
    pub fn failed(&mut self, error: &anyhow::Error) {
        self.check(false, format!("the step runs to its end: {error:#}"));
    }

    /// Closes the tour; true if nothing failed.
    pub fn end(self) -> bool {
        let elapsed = self.began.elapsed().as_secs_f64();
        if self.failures.is_empty() {
            self.line(&format!(
                "\n{} in {elapsed:.1} s.",
                self.paint("32", &format!("All {} steps held", self.step))
            ));
        } else {
            self.line(&format!(
                "\n{}",
                self.paint("31", &format!("{} of the checks failed:", self.failures.len()))
            ));
            for failure in &self.failures {
                self.line(&format!("  {failure}"));
            }
        }
        self.failures.is_empty()
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn line(&self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{text}");
        let _ = std::io::stdout().flush();
    }
}
