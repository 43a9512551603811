//! The configuration file: which one, and what it says, line by line.
//!
//! What its values mean is not known here.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Display, Path, PathBuf};

use figment::value::{Dict, Value};
use toml_edit::{Document, TableLike};

use super::keys;
use super::problem::Problem;
use super::raw::Setting;

/// A configuration file or a secret's file larger than this is taken for a mistake in its path.
const MAX_FILE: u64 = 1 << 20;

/// Room that reading wants to have left to find a file's end.
const END_PROBE: u64 = 64;

/// Which file to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Somebody named it: it must be there.
    Named {
        /// The file.
        path: PathBuf,
        /// The flag or variable that names it.
        by: &'static str,
    },
    /// The first of these that is there, if any.
    Search(Vec<PathBuf>),
}

/// A file's settings and what is wrong with it.
#[derive(Default)]
pub(super) struct Content {
    /// The file that was read.
    pub(super) path: Option<PathBuf>,
    /// Its settings.
    pub(super) settings: Vec<Setting>,
    /// Its mistakes.
    pub(super) problems: Vec<Problem>,
}

/// Reads the chosen file.
pub(super) fn read(choice: &Choice) -> Content {
    match choice {
        Choice::Named { path, by } => match read_text(path) {
            Ok(text) => parse(path, &text),
            Err(error) => unreadable(by, path, &error),
        },
        Choice::Search(paths) => search(paths),
    }
}

/// What is said of a file that should hold PEM. Somebody may have named a key's file there, and the parser's
/// words quote what stands in it.
pub(super) fn not_pem(shown: &Display<'_>) -> String {
    format!("{shown} is no PEM file, or a damaged one")
}

/// A searched file may be missing. One that is there and cannot be read ends the search with a
/// mistake: without it Larder might serve people whom the file keeps out.
fn search(paths: &[PathBuf]) -> Content {
    for path in paths {
        match read_text(path) {
            Ok(text) => return parse(path, &text),
            Err(error) if is_missing(&error) => {}
            Err(error) => return unreadable("configuration", path, &error),
        }
    }
    Content::default()
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unreadable(source: &str, path: &Path, error: &io::Error) -> Content {
    let message = cannot_be_read(path, error);
    Content {
        problems: vec![Problem::plain(source, &message)],
        ..Content::default()
    }
}

/// Reads a small text file.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let length = file.metadata()?.len().min(MAX_FILE);
    // It may hold a secret, and a text that grows leaves copies of itself behind.
    let mut text = String::with_capacity(usize::try_from(length + END_PROBE).unwrap_or_default());
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(text)
}

/// The same, for a file that a key names; a mistake says which.
pub(super) fn named_text(path: &Path) -> Result<String, String> {
    read_text(path).map_err(|error| cannot_be_read(path, &error))
}

fn cannot_be_read(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

fn parse(path: &Path, text: &str) -> Content {
    let mut content = Content {
        path: Some(path.to_owned()),
        ..Content::default()
    };
    let at = |offset: usize| {
        let before = text.bytes().take(offset);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        format!("{}:{line}", path.display())
    };
    match Document::parse(text) {
        Ok(document) => flatten(document.as_table(), "", &at, &mut content),
        // Only its message: the parser's own rendering shows the line, and a secret may be on it.
        Err(error) => content.problems.push(Problem::plain(
            &at(error.span().map_or(0, |span| span.start)),
            &error.message().replace('\n', ", "),
        )),
    }
    content
}

fn flatten(
    table: &dyn TableLike,
    parent: &str,
    at: &impl Fn(usize) -> String,
    content: &mut Content,
) {
    for (name, item) in table.iter() {
        let key = table.key(name).and_then(toml_edit::Key::span);
        let source = at(key.or_else(|| item.span()).map_or(0, |span| span.start));
        let path = join(parent, name);
        match item.as_table_like() {
            Some(inner) if !inner.is_empty() => flatten(inner, &path, at, content),
            // It says that there is one, and nothing of what a listener needs.
            Some(_) if keys::is_named_table(&path) => content.settings.push(Setting {
                key: path,
                value: Value::from(Dict::new()),
                source,
            }),
            Some(_) if keys::is_table(&path) => {}
            _ => note(path, item, source, content),
        }
    }
}

fn note(path: String, item: &toml_edit::Item, source: String, content: &mut Content) {
    if keys::is_table(&path) {
        let message = "is a table of keys, not a key";
        content.problems.push(Problem::at(&source, &path, message));
    } else if let Some(problem) = Problem::of_key(&source, &path) {
        content.problems.push(problem);
    } else if let Ok(written) = item.clone().into_value() {
        content.settings.push(Setting {
            key: path,
            value: value(&written),
            source,
        });
    }
}

/// A quoted key with a dot in it is one part: shown in quotes, and never taken for a path.
fn join(parent: &str, name: &str) -> String {
    let name = if name.contains('.') {
        format!("{name:?}")
    } else {
        name.to_owned()
    };
    if parent.is_empty() {
        name
    } else {
        format!("{parent}.{name}")
    }
}

/// A TOML value as a figment value; a point in time is kept as its text.
pub(super) fn value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::from(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::from(*number.value()),
        toml_edit::Value::Float(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(flag) => Value::from(*flag.value()),
        toml_edit::Value::Datetime(time) => Value::from(time.value().to_string()),
        toml_edit::Value::Array(items) => {
            Value::from(items.iter().map(self::value).collect::<Vec<_>>())
        }
        toml_edit::Value::InlineTable(table) => {
            let pairs = table
                .iter()
                .map(|(name, item)| (name.to_owned(), self::value(item)));
            Value::from(pairs.collect::<Dict>())
        }
    }
}
