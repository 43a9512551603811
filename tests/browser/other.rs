//! Answers that are not what the page expects: texts that clients made up, other versions, somebody in between, gaps.

use std::time::Duration;

use crate::browser::{Browser, NARROW, WIDE};
use crate::road::rest;
use crate::{ANSWERED, is_shown, stage};

/// How often a page is looked at that should go away by itself: for several of its rounds.
const LOOKS: u32 = 300;

/// Has the page hear something else from its next round on: `window.asked` is how it would really ask.
fn answer_instead(browser: &Browser, answer: &str) {
    browser.run(&format!(
        "window.asked ??= window.fetch; window.fetch = async (url, how) => {answer}"
    ));
}

/// The figures as they are, with a change.
fn with(change: &str) -> String {
    format!(
        "{{ const answer = await window.asked.call(window, url, how); if (!/stats/.test(url)) return answer; \
           const stats = await answer.json(); {change}; return Response.json(stats); }}"
    )
}

#[test]
fn what_comes_from_outside_is_a_text_on_the_page() {
    stage::alone(|browser, _| {
        let hostile = "const hostile = '<img src=x onerror=\"window.caught = 1\">'; const long = hostile + 'x'.repeat(300);";
        let trouble = "({ time: stats.time, route: hostile, outcome: hostile, status: 404, hash: long, \
                   team: long, explanation: long })";
        // The one document or the other, as it was asked for.
        answer_instead(
            browser,
            &format!(
                "{{ const answer = await window.asked.call(window, './api/v1/stats', how); \
               const stats = await answer.json(); {hostile} \
               if (/requests/.test(url)) return Response.json({{ requests: [{trouble}] }}); \
               Object.assign(stats, {{ state: '<img>', access: '<img>' }}); \
               stats.hints.push({{ code: hostile, text: long }}); \
               Object.assign(stats.upstream, {{ url: long, requests: {{ '<img>': {{ '<img>': 3 }} }} }}); \
               stats.requests['<img>'] = {{ '<img>': 3 }}; return Response.json(stats); }}"
            ),
        );
        for part in [
            "troubles",
            "hints",
            "upstream",
            "access",
            "state",
            "requests",
            "operations",
        ] {
            browser.until(&format!(
                "/<img/i.test(document.getElementById('{part}').innerText)"
            ));
        }
        for (width, screen) in [(1280, WIDE), (360, NARROW)] {
            browser.look_at(screen);
            browser.until(&format!(
                "document.documentElement.scrollWidth <= {width} && innerWidth === {width}"
            ));
        }
        let made = "return document.querySelectorAll('img').length + (window.caught ?? 0)";
        assert_eq!(browser.run(made), 0);
        let cut = "return [...document.querySelectorAll('.troubles p, .notice')]\
                 .filter((it) => it.scrollWidth > it.clientWidth).length";
        assert_eq!(browser.run(cut), 0);
    });
}

#[test]
fn an_answer_that_says_nothing_hides_the_figures_until_there_is_one_that_does() {
    stage::alone(|browser, _| {
        let no_figures = format!("{} && !({})", is_shown("no-figures"), is_shown("shown"));
        let figures = format!("!({}) && {}", is_shown("no-figures"), is_shown("shown"));
        for nothing in [
            "new Response('no such page', { status: 404 })",
            "new Response('<p>Who are you?</p>')",
            &with("delete stats.tiers"),
        ] {
            answer_instead(browser, nothing);
            browser.until(&no_figures);
            assert_eq!(browser.text("state"), "No answer", "{nothing}");
            answer_instead(browser, "window.asked.call(window, url, how)");
            browser.until(&figures);
            browser.until(ANSWERED);
        }
    });
}

#[test]
fn a_page_that_an_upgrade_has_left_behind_loads_itself_anew() {
    stage::alone(|browser, _| {
        browser.run("window.untouched = true");
        answer_instead(browser, &with("stats.version = '99.0.0'"));
        // A script that waits in the page would go with it.
        let is_there = || browser.run("return window.untouched === true") == true;
        for _ in 0..LOOKS {
            if !is_there() {
                break;
            }
            rest(Duration::from_millis(100));
        }
        assert!(!is_there());
        browser.until(ANSWERED);
    });
}

#[test]
fn a_chart_shows_nothing_where_the_process_slept() {
    stage::alone(|browser, _| {
        // Six downloads in a minute, half an hour of which nothing is known, and six again.
        let samples = "const at = Math.floor(Date.parse(stats.time) / 60000) * 60; \
                   const sample = (time) => ({ time, memory: 6, disk: 0, missed: 0, bytes_sent: 0, bytes_saved: 0 }); \
                   stats.history.fine.samples = [sample(at - 1800), sample(at)]";
        answer_instead(browser, &with(samples));
        browser.until(
            "/memory 12/.test(document.querySelector('#plot-requests .legend').textContent)",
        );
        browser.run("document.querySelector('#plot-requests .frame').focus()");
        let told = "document.activeElement.getAttribute('aria-valuetext')";
        browser.press("End");
        browser.until(&format!("/memory 36,/.test({told})"));
        browser.press("ArrowLeft");
        browser.until(&format!("/memory 0,/.test({told})"));
    });
}
