//! The dashboard in a browser: the real binary behind it, a real Chromium before it.
//!
//! Where Chromium or its driver is missing the tests say so on standard error and pass; with `CI` set they fail.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of a test may fail loudly"
)]

mod axe;
mod browser;
#[expect(dead_code, reason = "the real client's tests use the rest")]
#[path = "../turbo/larder.rs"]
mod larder;
mod looks;
#[expect(dead_code, reason = "the real client's tests use the rest")]
#[path = "../turbo/origin.rs"]
mod origin;
mod other;
mod pictures;
mod road;
mod stage;
mod wire;

use browser::Browser;
use larder::Home;
use stage::Stage;
use wire::ask;

/// What a part of the page that is hidden, or shown, is.
fn is_shown(id: &str) -> String {
    format!("!document.getElementById('{id}').hidden")
}

/// The page has an answer.
const ANSWERED: &str = "document.getElementById('state').textContent === 'Ready'";

#[test]
fn a_fresh_larder_says_how_to_begin() {
    stage::before_an_origin(|browser, stage, origin| {
        browser.go(&stage.page());
        browser.until(ANSWERED);
        browser.until(&is_shown("start"));
        let lines = browser.text("exports");
        let api = format!("export TURBO_API={}\n", stage.larder.api);
        assert!(lines.starts_with(&api), "{lines}");
        assert!(lines.contains("export TURBO_TOKEN="), "{lines}");
        assert!(lines.contains("export TURBO_TEAM="), "{lines}");
        assert_eq!(browser.text("version"), env!("CARGO_PKG_VERSION"));
        assert!(browser.text("upstream").contains(&origin.url()));
        assert_eq!(browser.text("rate"), "–");
    });
}

#[test]
fn the_figures_follow_the_traffic_without_a_reload() {
    stage::before_an_origin(|browser, stage, _| {
        browser.go(&stage.page());
        browser.until(ANSWERED);
        browser.run("window.untouched = true");

        assert_eq!(stage.upload("a0", 2048).status, 202);
        for _ in 0..3 {
            assert_eq!(stage.download("a0").status, 200);
        }
        assert_eq!(stage.download("b0").status, 404);

        browser.until("document.getElementById('rate').textContent === '75 %'");
        assert_eq!(browser.text("saved-bytes"), "6.0 KiB");
        assert_eq!(browser.text("task-time"), "12 s");
        assert!(browser.text("requests").contains("1 accepted and kept"));
        assert!(browser.text("tiers").contains("1 artifact"));
        browser.until(&format!("!({})", is_shown("start")));
        assert_eq!(browser.run("return window.untouched"), true);

        // The same as a table, once a sample is taken.
        browser.run("document.getElementById('table-toggle').click()");
        browser.until(&is_shown("traffic-table"));
        browser.until(
            "/\\b4\\.0 KiB|6\\.0 KiB/.test(document.getElementById('traffic-table').innerText)",
        );
        assert_eq!(
            browser.run("return document.querySelectorAll('canvas').length"),
            2
        );
    });
}

#[test]
fn an_outage_is_shown_with_the_reasons_of_its_requests() {
    stage::before_an_origin(|browser, stage, origin| {
        assert_eq!(stage.upload("a0", 1024).status, 202);
        browser.go(&stage.page());
        browser.until("/no trouble/.test(document.getElementById('upstream').textContent)");

        stage.lose(origin);

        browser.until("/keeps failing/.test(document.getElementById('upstream').textContent)");
        browser.until("document.querySelectorAll('#hint-list li').length > 0");
        browser.until("document.querySelectorAll('.troubles li').length >= 3");
        let why = browser.run("return document.querySelector('.troubles .why').textContent");
        assert!(why.as_str().is_some_and(|why| why.len() > 20), "{why}");
        let said = browser.text("announcement");
        assert!(said.contains("keeps failing"), "{said}");
    });
}

#[test]
fn that_larder_does_not_answer_is_said_and_old_figures_are_called_old() {
    stage::alone(|browser, stage| {
        drop(stage);
        browser.until(&is_shown("silence"));
        assert_eq!(browser.text("state"), "No answer");
        assert!(
            browser
                .text("silence-reason")
                .contains("What is shown is older")
        );
        assert_eq!(browser.text("announcement"), "Larder does not answer.");
    });
}

#[test]
fn a_page_that_is_paused_asks_nothing_until_it_goes_on() {
    stage::alone(|browser, _| {
        let pause = "document.getElementById('pause').click()";
        asks_nothing_between(browser, pause, pause);
    });
}

#[test]
fn a_page_that_nobody_sees_asks_nothing_until_somebody_does() {
    stage::alone(|browser, _| {
        let is_hidden = |is_hidden: bool| {
            format!(
                "Object.defineProperty(document, 'hidden', {{ configurable: true, value: {is_hidden} }}); \
             document.dispatchEvent(new Event('visibilitychange'))"
            )
        };
        asks_nothing_between(browser, &is_hidden(true), &is_hidden(false));
    });
}

/// The page asks nothing for longer than a round after one thing was done, and asks again after another.
fn asks_nothing_between(browser: &Browser, first: &str, second: &str) {
    let asked =
        "performance.getEntriesByType('resource').filter(({ name }) => /stats$/.test(name)).length";
    browser.run(first);
    let before = browser.run(&format!("return {asked}"));
    browser.run("window.late = false; setTimeout(() => (window.late = true), 7000)");
    browser.until("window.late");
    assert_eq!(browser.run(&format!("return {asked}")), before);
    browser.run(second);
    browser.until(&format!("{asked} > {before}"));
}

#[test]
fn from_elsewhere_the_page_wants_the_token_and_the_browser_brings_it_along() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let home = Home::new("none");
    let data = home.path("data");
    let config = format!(
        "data_dir = {data:?}\nserver.listen = [\"127.0.0.1:0\"]\nadmin.listen = \"0.0.0.0:0\"\n\
         admin.token = \"sesame\"\nupstream.url = \"none\"\n"
    );
    home.put("larder.toml", &config);
    let stage = Stage::set(&home);
    let page = stage.page().replace("0.0.0.0", "127.0.0.1");
    let address = page.trim_start_matches("http://").trim_end_matches('/');
    let without = ask(address, "GET /", &[], b"").expect("Larder answers");
    assert_eq!(without.status, 401);
    browser.go(&page.replace("http://", "http://anybody:sesame@"));
    browser.until(ANSWERED);
    assert_eq!(browser.console(), Vec::<String>::new());
}
