//! What was measured, kept until the document is written: a file a row, so that rows can be measured one
//! by one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::FOLDER;
use crate::figures::Rounds;
use crate::machine;
use crate::rows::Row;

/// A row that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// What was measured, by its commit.
    pub(crate) commit: String,
    /// Each server's rounds.
    pub(crate) rounds: Vec<Rounds>,
}

/// Keeps a row's figures.
pub(crate) fn keep(row: &Row, rounds: Vec<Rounds>) -> Result<()> {
    let file = file(row);
    fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    let kept = Kept {
        commit: machine::commit(),
        rounds,
    };
    fs::write(file, serde_json::to_string_pretty(&kept)?)?;
    Ok(())
}

/// The last figures of a row, if it was ever measured.
pub(crate) fn kept(row: &Row) -> Result<Option<Kept>> {
    match fs::read_to_string(file(row)) {
        Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        Err(_) => Ok(None),
    }
}

fn file(row: &Row) -> PathBuf {
    Path::new(FOLDER)
        .join("results")
        .join(format!("{}.json", row.name))
}
