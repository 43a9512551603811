//! What becomes of an artifact that is uploaded.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::super::finding::Verdict;
use super::super::stored::{CARRIED, description, download, headers, removal, upload};
use super::{assert_is, silent, told};
use crate::artifact::Failure;

fn trial() -> HeaderMap {
    CARRIED
        .iter()
        .map(|(name, _)| (name.parse().unwrap(), "1".parse().unwrap()))
        .collect()
}

#[test]
fn an_upload_is_taken_or_refused_in_words() {
    for (code, verdict, words) in [
        (200, Verdict::Ok, "taken"),
        (202, Verdict::Ok, "taken (202)"),
        (307, Verdict::Failure, "clients do not follow"),
        (401, Verdict::Failure, "does not know this token"),
        (403, Verdict::Failure, "may not upload"),
        (411, Verdict::Failure, "limits uploads"),
        (413, Verdict::Failure, "limits uploads"),
        (500, Verdict::Failure, "out of order"),
    ] {
        assert_is(&upload(&Ok(told(code, "")), true), verdict, words);
    }
    let mut page = told(200, " <html>");
    page.headers
        .insert("content-type", "text/html".parse().unwrap());
    assert_is(&upload(&Ok(page), true), Verdict::Failure, "login");
    assert_is(
        &upload(&silent(Failure::Cut), true),
        Verdict::Failure,
        "no answer",
    );
}

#[test]
fn a_description_says_whether_it_is_there_and_how_long() {
    let mut endless = told(200, "");
    endless.length = None;
    for (answer, verdict, words) in [
        (Ok(told(200, "")), Verdict::Ok, "with its length"),
        (Ok(endless), Verdict::Warning, "not said"),
        (Ok(told(404, "")), Verdict::Failure, "is not there"),
        (Ok(told(405, "")), Verdict::Warning, "no HEAD"),
        (Ok(told(403, "")), Verdict::Failure, "403"),
        (silent(Failure::Cut), Verdict::Failure, "no answer"),
    ] {
        assert_is(&description(&answer), verdict, words);
    }
}

#[test]
fn a_download_is_the_same_bytes_or_a_failure() {
    let sent = Bytes::from_static(b"body");
    let mut endless = told(200, "body");
    endless.length = None;
    let mut encoded = told(200, "body");
    encoded
        .headers
        .insert(CONTENT_ENCODING, "gzip".parse().unwrap());
    let mut led = told(200, "body");
    led.hops = vec!["s3.example".to_owned()];
    for (answer, verdict, words) in [
        (Ok(told(200, "body")), Verdict::Ok, "with their length"),
        (
            Ok(led),
            Verdict::Ok,
            "redirected to s3.example (asked without our credential)",
        ),
        (Ok(endless), Verdict::Warning, "Content-Length"),
        (Ok(encoded), Verdict::Failure, "encoded"),
        (Ok(told(200, "bod")), Verdict::Failure, "garbage"),
        (Ok(told(404, "")), Verdict::Failure, "is not there"),
        (Ok(told(403, "")), Verdict::Failure, "403"),
        (silent(Failure::Cut), Verdict::Failure, "no answer"),
    ] {
        assert_is(&download(&answer, &sent), verdict, words);
    }
}

#[test]
fn each_header_that_is_lost_is_told_with_what_that_means() {
    let sent = trial();
    for (lost, words) in [
        (
            None,
            "x-artifact-tag, x-artifact-duration, x-artifact-sha come back",
        ),
        (Some("x-artifact-tag"), "fails its check"),
        (Some("x-artifact-duration"), "time was saved"),
        (Some("x-artifact-sha"), "run summaries"),
    ] {
        let mut answer = told(200, "");
        answer.headers = sent.clone();
        lost.map(|lost| answer.headers.remove(lost));
        let verdict = if lost.is_some() {
            Verdict::Warning
        } else {
            Verdict::Ok
        };
        assert_is(&headers(&answer, &sent), verdict, words);
    }
    let changed = told(200, "");
    assert_is(&headers(&changed, &sent), Verdict::Warning, "tag is lost");
}

#[test]
fn an_artifact_that_remains_is_named() {
    assert_is(&removal(&Ok(told(204, "")), "ff00"), Verdict::Ok, "gone");
    for answer in [Ok(told(404, "")), Ok(told(405, "")), silent(Failure::Cut)] {
        assert_is(&removal(&answer, "ff00"), Verdict::Ok, "ff00 remains");
    }
}
