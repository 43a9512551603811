//! What is said of whatever may come, to the last case.

mod answers;
mod fitness;
mod greeting;
mod line;
mod stored;

use bytes::Bytes;
use http::{HeaderMap, Version};

use super::answers::Answered;
use super::finding::{Finding, Verdict};
use crate::artifact::Failure;
use crate::upstream::{Told, Unanswered};

fn told(status: u16, body: &str) -> Told {
    Told {
        status,
        version: Version::HTTP_11,
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        length: Some(body.len() as u64),
        hops: Vec::new(),
    }
}

fn silent(failure: Failure) -> Answered {
    Err(Unanswered {
        failure,
        cause: "no answer came".to_owned(),
    })
}

/// Asserts what is said: the verdict, and words of the detail or the advice.
#[track_caller]
fn assert_is(finding: &Finding, verdict: Verdict, words: &str) {
    assert_eq!(finding.verdict, verdict, "{finding:?}");
    let advice = finding.advice.as_deref();
    let text = format!("{} {}", finding.detail, advice.unwrap_or(""));
    assert!(text.contains(words), "{words} in {text}");
    // Whoever can do something is told what.
    let is_bad = matches!(verdict, Verdict::Warning | Verdict::Failure);
    assert_eq!(advice.is_some(), is_bad, "{finding:?}");
}

/// The same of several.
#[track_caller]
fn assert_says(finding: &Finding, verdict: Verdict, words: &[&str]) {
    for words in words {
        assert_is(finding, verdict, words);
    }
}
