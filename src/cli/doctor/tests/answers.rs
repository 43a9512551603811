//! Status, rights, batch, events.

use http::Version;
use http::header::CONTENT_TYPE;

use super::super::answers::{batch, events, http, rights, status};
use super::super::finding::Verdict;
use super::{assert_is, silent, told};
use crate::artifact::Failure;
use crate::upstream::Told;

fn html() -> Told {
    let mut told = told(200, "<html>");
    told.headers
        .insert(CONTENT_TYPE, "text/HTML; charset=x".parse().unwrap());
    told
}

fn enabled() -> Told {
    told(200, r#"{"status":"enabled"}"#)
}

#[test]
fn every_status_is_told_in_words() {
    use Verdict::{Failure, Ok, Warning};
    let word = |word: &str| told(200, &format!(r#"{{"status":"{word}"}}"#));
    for (answer, verdict, words) in [
        (word("enabled"), Ok, "enabled"),
        (word("disabled"), Failure, "disabled for this team"),
        (word("over_limit"), Failure, "over its limit"),
        (word("paused"), Failure, "paused"),
        (word("odd"), Warning, "odd"),
        (told(200, "{}"), Warning, "no status"),
        (told(200, "x"), Warning, "no status"),
        (told(404, ""), Warning, "the path in upstream.url"),
        (told(401, ""), Failure, "does not know this token"),
        (
            told(403, r#"{"error":{"code":"forbidden","message":"No."}}"#),
            Failure,
            "403 forbidden: No.",
        ),
        (told(302, ""), Failure, "elsewhere"),
        (told(503, r#"{"message":"down"}"#), Failure, "503 down"),
    ] {
        assert_is(&status(&Result::Ok(answer), true), verdict, words);
    }
    assert_is(
        &status(&Result::Ok(html()), true),
        Failure,
        "login in a browser",
    );
    assert_is(
        &status(&Result::Ok(told(401, "")), false),
        Failure,
        "wants a token",
    );
}

#[test]
fn rights_are_told_by_an_artifact_that_nobody_has() {
    use Verdict::{Failure, Ok, Warning};
    for (code, has_token, verdict, words) in [
        (404, true, Ok, "may ask"),
        (404, false, Warning, "no token"),
        (200, true, Warning, "claims to have"),
        (401, true, Failure, "does not know this token"),
        (401, false, Failure, "TURBO_TOKEN"),
        (402, true, Failure, "billing"),
        (403, true, Failure, "--team"),
        (403, false, Failure, "wants a token"),
        (429, true, Failure, "how often"),
        (407, true, Failure, "upstream.proxy"),
        (500, true, Failure, "out of order"),
        (418, true, Failure, "before /v8/artifacts"),
    ] {
        assert_is(
            &rights(
                &Result::Ok(told(code, "")),
                &Result::Ok(enabled()),
                has_token,
            ),
            verdict,
            words,
        );
    }
    assert_is(
        &rights(&Result::Ok(html()), &Result::Ok(enabled()), true),
        Failure,
        "login in a browser",
    );
}

#[test]
fn a_404_that_any_server_would_give_proves_nothing() {
    let lost = || Ok(told(404, ""));
    let unsure = rights(&lost(), &lost(), true);
    assert_is(&unsure, Verdict::Warning, "--write");
    let page = Ok(Told {
        status: 404,
        ..html()
    });
    assert_is(
        &rights(&page, &Ok(enabled()), true),
        Verdict::Warning,
        "/api",
    );
    let silent = silent(Failure::Timeout);
    assert_is(&rights(&lost(), &silent, true), Verdict::Ok, "may ask");
}

#[test]
fn what_turbo_does_without_is_no_failure() {
    use Verdict::{Ok, Warning};
    for (code, body, of_batch, of_events) in [
        (200, "{}", Ok, Ok),
        (200, "[]", Warning, Ok),
        (404, "", Ok, Ok),
        (405, "", Ok, Ok),
        (501, "", Ok, Ok),
        (400, "", Warning, Ok),
        (403, "", Warning, Warning),
        (500, "", Warning, Warning),
    ] {
        let answer = Result::Ok(told(code, body));
        assert_is(&batch(&answer), of_batch, "");
        assert_is(&events(&answer), of_events, "");
    }
}

#[test]
fn silence_is_told_by_its_kind() {
    for (failure, words) in [
        (Failure::Timeout, "first_byte_timeout"),
        (Failure::Unreachable, "the lines above"),
        (Failure::Cut, "breaks off"),
        (Failure::Error, "no HTTP server"),
    ] {
        let answer = silent(failure);
        for finding in [
            status(&answer, true),
            rights(&answer, &answer, true),
            batch(&answer),
            events(&answer),
        ] {
            assert_is(&finding, Verdict::Failure, words);
        }
    }
}

#[test]
fn the_version_is_told_with_how_it_was_agreed_on() {
    let h2 = http(Version::HTTP_2, Some("h2"));
    assert_is(&h2, Verdict::Ok, "HTTP/2.0, agreed on as h2");
    assert_is(
        &http(Version::HTTP_11, None),
        Verdict::Ok,
        "HTTP/1.1, nothing else",
    );
}
