//! A real Larder before an origin that can go away, and what builds ask of it.

use crate::ANSWERED;
use crate::browser::Browser;
use crate::larder::{Home, Larder};
use crate::origin::{Origin, TOKEN};
use crate::wire::{Answer, ask};

/// Larder and its clients; the browser is elsewhere.
pub(crate) struct Stage<'home> {
    home: &'home Home,
    pub(crate) larder: Larder<'home>,
}

/// Looks at the page of a Larder that stands alone, once it has an answer; where there is no browser, at nothing.
pub(crate) fn alone(look: impl FnOnce(&Browser, Stage<'_>)) {
    let Some(browser) = Browser::open() else {
        return;
    };
    let home = Home::new("none");
    let stage = Stage::set(&home);
    browser.go(&stage.page());
    browser.until(ANSWERED);
    look(&browser, stage);
}

/// The same of one before an origin, whose page is still to be opened.
pub(crate) fn before_an_origin(look: impl FnOnce(&Browser, Stage<'_>, Origin)) {
    let Some(browser) = Browser::open() else {
        return;
    };
    let origin = Origin::start();
    let home = Home::new(&origin.url());
    look(&browser, Stage::set(&home), origin);
}

/// Where the upstream is, whose port is free again: nobody answers there.
pub(crate) fn gone(origin: Origin) {
    drop(origin);
}

// === impl Stage ===

impl<'home> Stage<'home> {
    /// Starts Larder.
    pub(crate) fn set(home: &'home Home) -> Self {
        let larder = home.start();
        Self { home, larder }
    }

    /// The page's address.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.home.admin_address())
    }

    /// Uploads an artifact of so many bytes.
    pub(crate) fn upload(&self, hash: &str, bytes: usize) -> Answer {
        Self::upload_to(self.address(), "/v8/artifacts", hash, bytes)
    }

    /// The same to another server, below its own path.
    pub(crate) fn upload_to(address: &str, base: &str, hash: &str, bytes: usize) -> Answer {
        request(address, &format!("PUT {base}/{hash}"), &vec![b'a'; bytes])
    }

    /// Asks for one.
    pub(crate) fn download(&self, hash: &str) -> Answer {
        request(self.address(), &format!("GET /v8/artifacts/{hash}"), b"")
    }

    /// Has the upstream go away, and asks for what is not here until that must be noticed.
    pub(crate) fn lose(&self, origin: Origin) {
        gone(origin);
        for hash in ["c0", "c1", "c2", "c3", "c4"] {
            assert_eq!(self.download(hash).status, 404);
        }
    }

    fn address(&self) -> &str {
        self.larder.api.trim_start_matches("http://")
    }
}

fn request(address: &str, target: &str, body: &[u8]) -> Answer {
    let token = format!("authorization: Bearer {TOKEN}");
    // What turbo says of a task that took four seconds.
    let head = [
        token.as_str(),
        "x-artifact-duration: 4000",
        "user-agent: turbo 2.11.0",
    ];
    ask(address, &format!("{target}?slug=acme"), &head, body).expect("the server answers")
}
