//! A real Larder before an origin that can go away, and what builds ask of it.

use crate::larder::{Home, Larder};
use crate::origin::{Origin, TOKEN};
use crate::wire::{Answer, ask};

/// Larder and its clients; the browser is elsewhere.
pub(crate) struct Stage<'home> {
    home: &'home Home,
    pub(crate) larder: Larder<'home>,
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
