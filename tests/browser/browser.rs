//! A Chromium without a window, driven over `WebDriver`: opened, looked into, and closed.
//!
//! What a page should show is the tests' business.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::wire::ask;

/// Milliseconds that a script may wait for what it looks for: several rounds of the page, on a busy machine.
const PATIENCE: u32 = 40_000;

/// Far more than the driver's start takes.
const START: Duration = Duration::from_secs(20);

/// What keeps a browser to the page that is looked at.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page; gone when dropped.
pub(crate) struct Browser {
    driver: Child,
    address: String,
    session: String,
}

/// How a page is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) scale: u32,
    pub(crate) is_dark: bool,
}

/// A desk's.
pub(crate) const WIDE: Screen = Screen {
    width: 1280,
    scale: 1,
    is_dark: false,
};

/// The narrowest that is still in use.
pub(crate) const NARROW: Screen = Screen {
    width: 360,
    scale: 2,
    is_dark: false,
};

// === impl Browser ===

impl Browser {
    /// Opens one; `None`, said loudly, where there is no Chromium with its driver.
    pub(crate) fn open() -> Option<Self> {
        match start() {
            Ok((driver, address)) => {
                let mut browser = Self {
                    driver,
                    address,
                    session: String::new(),
                };
                browser.begin();
                Some(browser)
            }
            Err(reason) => {
                skip(&reason);
                None
            }
        }
    }

    fn begin(&mut self) {
        let options = json!({"args": ARGUMENTS});
        let wanted = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": PATIENCE},
        });
        let answer = self.command(
            "POST",
            "/session",
            &json!({"capabilities": {"alwaysMatch": wanted}}),
        );
        let id = answer["sessionId"].as_str().expect("a session");
        self.session = format!("/session/{id}");
        self.look_at(WIDE);
    }

    /// Goes to a page.
    pub(crate) fn go(&self, url: &str) {
        self.order("POST", "/url", &json!({"url": url}));
    }

    /// Looks at the page by another screen from now on.
    pub(crate) fn look_at(
        &self,
        Screen {
            width,
            scale,
            is_dark,
        }: Screen,
    ) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": scale, "mobile": width < 600});
        self.tell("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("Emulation.setEmulatedMedia", &media);
    }

    /// What a piece of JavaScript returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.order(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// Waits until an expression is true, and fails loudly with what the page said instead.
    pub(crate) fn until(&self, expression: &str) {
        let look = format!(
            "const done = arguments[0]; const begun = Date.now(); (function look() {{ \
               let seen = false; try {{ seen = {expression}; }} catch {{ /* not there yet */ }} \
               if (seen) done(true); else if (Date.now() - begun > {limit}) done(false); else setTimeout(look, 50); \
             }})()",
            limit = PATIENCE / 2
        );
        let seen = self.order(
            "POST",
            "/execute/async",
            &json!({"script": look, "args": []}),
        );
        assert!(
            seen == true,
            "never: {expression}\n{}\n{:#?}",
            self.run("return document.body.innerText"),
            self.console()
        );
    }

    /// Presses a key that has a name.
    pub(crate) fn press(&self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.tell(
                "Input.dispatchKeyEvent",
                &json!({"type": kind, "key": key, "code": key}),
            );
        }
    }

    /// The text of an element.
    pub(crate) fn text(&self, id: &str) -> String {
        let text = self.run(&format!("return document.getElementById({id:?}).innerText"));
        text.as_str().expect("a text").to_owned()
    }

    /// Everything that was written to the console since it was last asked, violations of the policy included.
    pub(crate) fn console(&self) -> Vec<String> {
        let log = self.order("POST", "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().expect("a log").iter();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// The whole page as a picture.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let picture = self.tell(
            "Page.captureScreenshot",
            &json!({"format": "png", "captureBeyondViewport": true, "clip": self.extent()}),
        );
        let data = picture["data"].as_str().expect("a picture");
        BASE64.decode(data.as_bytes()).expect("a picture")
    }

    fn extent(&self) -> Value {
        self.run(
            "const page = document.documentElement; \
             return {x: 0, y: 0, width: innerWidth, height: page.scrollHeight, scale: 1}",
        )
    }

    fn tell(&self, command: &str, parameters: &Value) -> Value {
        self.order(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    fn order(&self, method: &str, path: &str, body: &Value) -> Value {
        self.command(method, &format!("{}{path}", self.session), body)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let line = format!("{method} {path}");
        let head = ["content-type: application/json; charset=utf-8"];
        let answer = ask(&self.address, &line, &head, body.to_string().as_bytes())
            .expect("the driver answers");
        let mut told: Value = serde_json::from_slice(&answer.body).expect("the driver speaks JSON");
        assert!(answer.status == 200, "{line}: {told}");
        told["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; whatever fails here, the driver ends below.
        drop(ask(
            &self.address,
            &format!("DELETE {}", self.session),
            &[],
            b"",
        ));
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Starts the driver on a free port; returns when it says which.
fn start() -> Result<(Child, String), String> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("chromedriver: {error}"))?;
    let output = driver.stdout.take().expect("a pipe");
    let (found, port) = mpsc::channel();
    // Reads on to the end, so that the pipe never breaks.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                found.send(port.trim_end_matches('.').to_owned()).ok();
            }
        }
    });
    let port = port.recv_timeout(START);
    let port = port.map_err(|_| "chromedriver does not say where it listens".to_owned())?;
    Ok((driver, format!("127.0.0.1:{port}")))
}

/// Says what is not tested, and fails where everything must be.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "no browser: {reason}");
    // Written past the test runner's capture: a test that did not run must be seen.
    let said = writeln!(std::io::stderr(), "NOT TESTED: no browser here: {reason}");
    said.expect("standard error");
}
