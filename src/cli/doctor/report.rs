//! What a doctor found, a line each: for people while it goes on, or for programs at the end.
//!
//! Whatever others said is printed on one line, cut, and without the token, should they have repeated it.

use std::io::{self, IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::finding::{Check, Finding, Verdict};
use crate::cli::unless_read_enough;
use crate::config::Secret;

/// Characters of what is printed of one finding: servers may say a lot.
const LONGEST: usize = 400;
/// Characters of a token that are in no other word by chance.
const UNLIKELY: usize = 8;

#[derive(Debug, Serialize)]
struct Line {
    check: Check,
    verdict: Verdict,
    detail: String,
    advice: Option<String>,
    seconds: Option<f64>,
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line as soon as it is known, in colour or without.
    Table { is_coloured: bool },
    /// All of them at the end.
    Json,
}

/// All findings so far.
pub(super) struct Report {
    form: Form,
    secret: Option<Secret>,
    lines: Vec<Line>,
    printed: io::Result<()>,
}

// === impl Report ===

impl Report {
    /// In the `form` that is asked for; `secret` is shown nowhere.
    pub(super) fn new(form: Form, secret: Option<Secret>) -> Self {
        Self {
            form,
            secret,
            lines: Vec::new(),
            printed: Ok(()),
        }
    }

    /// How a table is shown at this standard output.
    pub(super) fn table(allows_colour: bool) -> Form {
        Form::Table {
            is_coloured: allows_colour && stdout().is_terminal(),
        }
    }

    /// Takes note of a finding that took so long.
    pub(super) fn add(&mut self, check: Check, finding: Finding, took: Option<Duration>) {
        let line = Line {
            check,
            verdict: finding.verdict,
            detail: self.shown(&finding.detail),
            advice: finding.advice.map(|advice| self.shown(&advice)),
            seconds: took.map(|took| took.as_secs_f64()),
        };
        if let Form::Table { is_coloured } = self.form
            && self.printed.is_ok()
        {
            self.printed = print(&line, is_coloured);
        }
        self.lines.push(line);
    }

    /// Says the rest; 1 where something does not work.
    pub(super) fn finish(self) -> anyhow::Result<ExitCode> {
        let code = self.code();
        let printed = self.printed.and_then(|()| match self.form {
            Form::Table { .. } => Ok(()),
            Form::Json => {
                let text = serde_json::to_string_pretty(&self.lines)?;
                writeln!(stdout(), "{text}")
            }
        });
        unless_read_enough(printed)?;
        Ok(code)
    }

    fn code(&self) -> ExitCode {
        let fails = |line: &Line| line.verdict == Verdict::Failure;
        if self.lines.iter().any(fails) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    fn shown(&self, text: &str) -> String {
        let text = match &self.secret {
            Some(secret) => without(text, secret.expose()),
            None => text.to_owned(),
        };
        let on_one_line = |char: char| if char.is_control() { ' ' } else { char };
        let mut shown: String = text.chars().take(LONGEST).map(on_one_line).collect();
        if text.chars().nth(LONGEST).is_some() {
            shown.push('…');
        }
        shown
    }
}

/// A text in which `secret` is masked: wherever it stands, or where it is so short that words may hold it, where
/// it is a word of its own.
fn without(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(secret) {
        masked.push_str(before);
        let is_in_word =
            masked.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        masked.push_str(if is_in_word && secret.len() < UNLIKELY {
            secret
        } else {
            "***"
        });
        rest = after;
    }
    masked + rest
}

fn print(line: &Line, is_coloured: bool) -> io::Result<()> {
    let (colour, end) = if is_coloured {
        (line.verdict.colour(), "\x1b[0m")
    } else {
        ("", "")
    };
    let (verdict, check) = (line.verdict.as_str(), line.check.as_str());
    let (verdicts, checks) = (Verdict::WIDTH, Check::WIDTH);
    let mut out = stdout().lock();
    write!(
        out,
        "{colour}{verdict:<verdicts$}{end}  {check:<checks$}  {}",
        line.detail
    )?;
    match line.seconds {
        Some(seconds) => writeln!(out, " ({})", time(seconds))?,
        None => writeln!(out)?,
    }
    if let Some(advice) = &line.advice {
        writeln!(
            out,
            "{:indent$}→ {advice}",
            "",
            indent = verdicts + checks + 4
        )?;
    }
    out.flush()
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_said_is_one_line_without_the_token() {
        let report = Report::new(Form::Json, Some(Secret::new("canary")));
        assert_eq!(
            report.shown("no canary\r\n\x1b[31mhere"),
            "no ***   [31mhere"
        );
        let long = report.shown(&"ü".repeat(LONGEST + 1));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn a_token_that_is_part_of_a_word_is_masked_as_a_word_of_its_own_alone() {
        assert_eq!(without("no token tok, tok", "tok"), "no token ***, ***");
        assert_eq!(without("xlong-tokeny", "long-token"), "x***y");
        assert_eq!(without("as it is", ""), "as it is");
    }

    #[test]
    fn a_failure_alone_makes_it_fail() {
        let code = |findings: Vec<Finding>| {
            let mut report = Report::new(Form::Json, None);
            for finding in findings {
                report.add(Check::Status, finding, None);
            }
            format!("{:?}", report.code())
        };
        let (good, bad) = (ExitCode::SUCCESS, ExitCode::FAILURE);
        let spared = || {
            vec![
                Finding::ok(""),
                Finding::warning("", ""),
                Finding::not_tried(""),
            ]
        };
        assert_eq!(code(spared()), format!("{good:?}"));
        assert_eq!(
            code([spared(), vec![Finding::failure("", "")]].concat()),
            format!("{bad:?}")
        );
    }

    #[test]
    fn times_are_told_in_what_suits_them() {
        assert_eq!(time(0.0123), "12 ms");
        assert_eq!(time(1.26), "1.3 s");
    }
}
