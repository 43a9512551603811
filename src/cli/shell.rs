//! Variables as shells and files of variables read them: whatever is in a value, it stays a value. Pure.

use std::fmt::Write;

use clap::ValueEnum;

/// Who reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// sh, bash, zsh and the like: `export NAME='value'`
    #[default]
    Sh,
    /// fish: `set -gx NAME 'value'`
    Fish,
    /// A file of variables: `NAME=value`
    Dotenv,
}

/// What stands for itself in every shell.
fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-._~:/@%+,=[]".contains(char)
}

// === impl Shell ===

impl Shell {
    /// The line that sets a variable, with its end.
    pub(super) fn line(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh => format!("export {name}={}\n", quoted(value, "'\\''", "\\")),
            Self::Fish => format!("set -gx {name} {}\n", quoted(value, "\\'", "\\\\")),
            Self::Dotenv => format!("{name}={}\n", value_of_file(value)),
        }
    }
}

/// In single quotes, with what stands there for one of them, and for a backslash.
fn quoted(value: &str, quote: &str, backslash: &str) -> String {
    // Brackets are patterns to some shells, and an equals sign a command to zsh.
    if !value.is_empty()
        && value
            .chars()
            .all(|char| is_plain(char) && !"[]=~".contains(char))
    {
        return value.to_owned();
    }
    let inner = value.chars().map(|char| match char {
        '\'' => quote.to_owned(),
        '\\' => backslash.to_owned(),
        char => char.to_string(),
    });
    format!("'{}'", inner.collect::<String>())
}

/// Readers of such files disagree on quotes: what needs any is written in the way of URLs.
fn value_of_file(value: &str) -> String {
    let mut text = String::new();
    for char in value.chars() {
        if is_plain(char) {
            text.push(char);
        } else {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                write!(text, "%{byte:02X}").ok();
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What could end a value, or begin something else.
    const HOSTILE: &str = "http://a/$(touch x)'; rm -rf ~ #\"`id`\\ & [b] $HOME";

    #[test]
    fn a_shell_reads_the_value_that_was_written() {
        for value in [
            HOSTILE,
            "http://127.0.0.1:8585",
            "",
            "'",
            "\\",
            "\\'",
            "a\nb",
        ] {
            let script = format!("{}printf %s \"$URL\"", Shell::Sh.line("URL", value));
            let output = Command::new("/bin/sh").args(["-c", &script]).output();
            let read = String::from_utf8(output.unwrap().stdout).unwrap();
            assert_eq!(read, value, "{script}");
        }
    }

    #[test]
    fn every_reader_has_its_own_words() {
        let plain = |shell: Shell| shell.line("TURBO_API", "http://a:1/b");
        assert_eq!(plain(Shell::Sh), "export TURBO_API=http://a:1/b\n");
        assert_eq!(plain(Shell::Fish), "set -gx TURBO_API http://a:1/b\n");
        assert_eq!(plain(Shell::Dotenv), "TURBO_API=http://a:1/b\n");
        assert_eq!(Shell::Fish.line("A", "b'c\\d"), "set -gx A 'b\\'c\\\\d'\n");
        assert_eq!(Shell::Dotenv.line("A", "b'c$d"), "A=b%27c%24d\n");
        assert_eq!(Shell::Sh.line("A", "=[b]"), "export A='=[b]'\n");
    }
}
