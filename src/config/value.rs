//! The shapes a value may have: text, list, count, one of some words.
//!
//! A number is never taken for text nor the other way round where that would change what was written;
//! no message shows a value that may be a secret.

use std::path::PathBuf;

use figment::value::Value;

use super::file;
use super::problem::quoted;

/// Text that says something.
pub(super) fn text(value: &Value) -> Result<&str, String> {
    match value.as_str() {
        Some("") => Err("is empty: leave it out instead".to_owned()),
        Some(text) => Ok(text),
        None => Err("must be text, in quotes".to_owned()),
    }
}

/// The path of a file or folder.
pub(super) fn path(value: &Value) -> Result<PathBuf, String> {
    path_of(text(value)?)
}

/// The paths of files, at least one.
pub(super) fn paths(value: &Value) -> Result<Vec<PathBuf>, String> {
    let paths = list(value, path_of)?;
    if paths.is_empty() {
        return Err("names no file".to_owned());
    }
    Ok(paths)
}

fn path_of(text: &str) -> Result<PathBuf, String> {
    if text == "~" || text.starts_with("~/") {
        return Err("`~` is not expanded here: write the whole path".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// A whole number, at least 1.
pub(super) fn count(value: &Value) -> Result<usize, String> {
    counted(value)
        .filter(|count| *count > 0)
        .ok_or_else(|| "must be a whole number, at least 1".to_owned())
}

/// A whole number, where 0 turns something off.
pub(super) fn count_or_none(value: &Value) -> Result<usize, String> {
    counted(value).ok_or_else(|| "must be a whole number".to_owned())
}

fn counted(value: &Value) -> Option<usize> {
    match value {
        Value::String(_, text) => text.trim().parse().ok(),
        Value::Num(_, number) => whole(*number).and_then(|number| usize::try_from(number).ok()),
        _ => None,
    }
}

/// `true` or `false`.
pub(super) fn switch(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(_, is_on) => Some(*is_on),
        Value::String(_, text) => text.trim().parse().ok(),
        _ => None,
    }
    .ok_or_else(|| "must be true or false".to_owned())
}

/// A native number where it is a whole one and not negative.
pub(super) fn whole(number: figment::value::Num) -> Option<u64> {
    number
        .to_i128()
        .or_else(|| number.to_u128()?.try_into().ok())
        .and_then(|number| number.try_into().ok())
}

/// One of a closed set of words.
pub(super) fn choice<T: Copy>(value: &Value, words: &[(&str, T)]) -> Result<T, String> {
    let text = text(value)?;
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("{} is none of: {}", quoted(text), known.join(", "))
    })
}

/// A list whose every element `parse` understands: an array, or text with commas.
pub(super) fn list<T>(
    value: &Value,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut elements = Vec::new();
    let mut mistakes = Vec::new();
    for item in items(value)? {
        match text(&item).and_then(&parse) {
            Ok(element) => elements.push(element),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() {
        Ok(elements)
    } else {
        Err(mistakes.join("; "))
    }
}

/// The elements of a list as they were written.
pub(super) fn items(value: &Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(_, items) => Ok(items.clone()),
        Value::String(_, text) => split(text.trim()),
        _ => Err("must be a list".to_owned()),
    }
}

fn split(text: &str) -> Result<Vec<Value>, String> {
    if text.starts_with('[') && text.ends_with(']') {
        return array(text).ok_or_else(|| "begins like a TOML array, but is none".to_owned());
    }
    let parts = text.split(',').map(str::trim);
    Ok(parts
        .filter(|part| !part.is_empty())
        .map(Value::from)
        .collect())
}

fn array(text: &str) -> Option<Vec<Value>> {
    let parsed: toml_edit::Value = text.parse().ok()?;
    file::value(&parsed).into_array()
}
