//! How the page looks and can be used: by each screen, by keys, by ear, and what the browser complains of.

use crate::browser::{NARROW, Screen, WIDE};
use crate::{ANSWERED, axe, stage};

#[test]
fn nothing_is_written_to_the_console_and_the_policy_is_in_force() {
    stage::before_an_origin(|browser, stage, _| {
        assert_eq!(stage.upload("a0", 1024).status, 202);
        browser.go(&stage.page());
        browser.until(ANSWERED);
        browser.run("document.querySelector('input[value=coarse]').click()");
        browser.run("document.getElementById('table-toggle').click()");
        browser.look_at(Screen {
            is_dark: true,
            ..WIDE
        });
        browser.until("document.querySelectorAll('#traffic-table table').length === 1");
        assert_eq!(browser.console(), Vec::<String>::new());

        // And a violation would be seen.
        let foreign = "const style = document.createElement('style'); style.textContent = 'p { color: red }'; \
                   document.head.append(style)";
        browser.run(foreign);
        let console = browser.console();
        assert!(
            console
                .iter()
                .any(|line| line.contains("Content Security Policy")),
            "{console:?}"
        );
    });
}

#[test]
fn it_fits_a_narrow_screen_in_every_state() {
    stage::before_an_origin(|browser, stage, origin| {
        browser.look_at(NARROW);
        browser.go(&stage.page());
        let fits = "document.documentElement.scrollWidth <= 360 && innerWidth === 360";
        browser.until(ANSWERED);
        browser.until(fits);

        assert_eq!(stage.upload("a0", 1024).status, 202);
        assert_eq!(stage.download("a0").status, 200);
        stage.lose(origin);
        browser.run("document.getElementById('table-toggle').click()");
        browser.until("/keeps failing/.test(document.getElementById('upstream').textContent)");
        browser.until("document.querySelectorAll('.troubles li').length >= 3");
        browser.until(fits);
    });
}

#[test]
fn every_control_has_a_name_and_headings_are_in_order() {
    stage::alone(|browser, _| {
        let unnamed = browser.run(
        "return [...document.querySelectorAll('button, input, a, [tabindex=\"0\"]')].filter((it) => \
           !(it.ariaLabel || it.textContent.trim() || it.closest('label')?.textContent.trim())).length",
    );
        assert_eq!(unnamed, 0);
        let levels = browser.run(
        "return [...document.querySelectorAll('h1, h2, h3, h4')].filter((it) => it.checkVisibility())\
           .map((it) => Number(it.tagName[1]))",
    );
        let levels: Vec<u64> = serde_json::from_value(levels).expect("levels");
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        let skips = levels.windows(2).any(|pair| pair[1] > pair[0] + 1);
        assert!(!skips && levels[0] == 1, "{levels:?}");
    });
}

#[test]
fn axe_has_no_complaint_in_light_and_dark() {
    stage::before_an_origin(|browser, stage, _| {
        for screen in [
            WIDE,
            Screen {
                is_dark: true,
                ..NARROW
            },
        ] {
            browser.look_at(screen);
            browser.go(&stage.page());
            browser.until(ANSWERED);
            let Some(complaints) = axe::complaints(browser) else {
                return;
            };
            assert_eq!(complaints, Vec::<String>::new());
            assert_eq!(stage.download("a0").status, 404);
        }
    });
}

#[test]
fn a_chart_tells_of_each_moment_by_keys() {
    stage::before_an_origin(|browser, stage, _| {
        assert_eq!(stage.upload("a0", 1024).status, 202);
        assert_eq!(stage.download("a0").status, 200);
        browser.go(&stage.page());
        // A sample is taken.
        browser
            .until("/memory 1/.test(document.querySelector('#plot-requests .legend').textContent)");
        browser.run("document.querySelector('#plot-requests .frame').focus()");
        browser.press("End");
        let told = "document.activeElement.getAttribute('aria-valuetext')";
        browser.until(&format!(
            "/^\\d\\d:\\d\\d: memory .* disk .* missed/.test({told})"
        ));
        browser.press("Escape");
        browser.until(&format!(
            "/^in all of the last hour: memory 1, /.test({told})"
        ));
    });
}
