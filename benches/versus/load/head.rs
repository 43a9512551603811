//! The head of an answer, read and held against what the row is about: a server that answers
//! something else must not win.

use anyhow::{Context, Result, bail, ensure};

/// Longer heads than this are none of these servers'.
pub(crate) const MOST: usize = 4096;

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// A 200 of this length that was found in a cache.
    Hit(u64),
    /// A 200 of this length that was in no cache, and is now.
    Stored(u64),
    /// A 200 of this length.
    Body(u64),
    /// An upload taken.
    Taken,
    /// An upload taken, of which the cache says that it keeps it.
    Kept,
}

/// A head that is as it must be.
#[derive(Debug)]
pub(crate) struct Head {
    /// Its bytes, with the empty line.
    pub(crate) bytes: usize,
    /// The bytes of the body that follows.
    pub(crate) body: u64,
    /// What the cache said of itself.
    pub(crate) cache: String,
}

/// Reads a head as far as it has come; `None` before its end.
pub(crate) fn read(bytes: &[u8], expect: Expect) -> Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(bytes.len() < MOST, "a head without an end");
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).context("a head is text")?;
    let head = Head {
        bytes: end + 4,
        body: field(text, "content-length").map_or(Ok(0), str::parse)?,
        cache: cache(text).to_owned(),
    };
    check(text, &head, expect).with_context(|| format!("{expect:?} was answered with\n{text}"))?;
    Ok(Some(head))
}

fn check(text: &str, head: &Head, expect: Expect) -> Result<()> {
    let status = text.split(' ').nth(1).unwrap_or_default();
    match expect {
        Expect::Taken | Expect::Kept => {
            ensure!(status.starts_with('2'), "an upload was refused");
            let must = expect == Expect::Kept;
            ensure!(!must || is_stored(&head.cache), "not stored");
            return Ok(());
        }
        _ if status != "200" => bail!("no 200"),
        Expect::Body(size) => ensure!(head.body == size, "another length"),
        Expect::Hit(size) => {
            ensure!(head.body == size, "another length");
            ensure!(is_hit(&head.cache), "no hit");
        }
        Expect::Stored(size) => {
            ensure!(head.body == size, "another length");
            ensure!(is_stored(&head.cache), "not stored");
        }
    }
    ensure!(field(text, "x-artifact-tag").is_some(), "no tag");
    Ok(())
}

fn is_hit(cache: &str) -> bool {
    cache == "HIT" || cache.contains("; hit")
}

/// nginx stores every miss of these rows; Larder says so, and forwards others without.
fn is_stored(cache: &str) -> bool {
    cache == "MISS" || cache.ends_with("; stored")
}

/// Larder's own word is the last one of `Cache-Status`; the others are configured to say it in `X-Cache`.
fn cache(text: &str) -> &str {
    let status = field(text, "cache-status").and_then(|all| all.rsplit(", ").next());
    status.or(field(text, "x-cache")).unwrap_or_default()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
