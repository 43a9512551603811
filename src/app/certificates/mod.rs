//! What is shown in TLS, kept up with its files: whoever renews a certificate need not tell anybody.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::time::sleep;

use crate::config::{ContentDigest, Reading, Remark, ServerTls, TlsContents, TlsFiles};
use crate::metrics::Metrics;
use crate::server::{Tls, TlsError};
use crate::tasks::Tasks;

/// How often the files are looked at. They are read whole: a mounted secret changes by links above it, and no
/// time of a file tells. A few kilobytes every ten seconds cost nothing; certificates are renewed weeks
/// before they end.
const LOOK: Duration = Duration::from_secs(10);

/// The certificates of the data listeners.
#[derive(Debug)]
pub(super) struct Certificates {
    tls: Tls,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    files: TlsFiles,
    /// What the files held that is in use.
    used: ContentDigest,
    /// The latest reading that found it so: files are looked at from two sides, and a slow look must not bring
    /// back what a later one has seen replaced.
    latest: Reading,
    /// What they held at the last look, where that was of no use.
    useless: Option<Useless>,
}

/// Contents of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Useless {
    contents: ContentDigest,
    is_said: bool,
}

// === impl Certificates ===

impl Certificates {
    /// Begins with what was read at the start.
    pub(super) fn new(shown: &ServerTls, metrics: &Arc<Metrics>) -> Result<Arc<Self>, TlsError> {
        let certificates = Self {
            tls: Tls::new(shown)?,
            metrics: Arc::clone(metrics),
            state: Mutex::new(State {
                files: shown.files.clone(),
                used: shown.contents,
                latest: shown.reading,
                useless: None,
            }),
        };
        certificates.tell_ends(shown);
        Ok(Arc::new(certificates))
    }

    /// What is spoken with clients.
    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Looks at the files again and again until the process stops.
    pub(super) async fn keep_up(self: Arc<Self>, tasks: Tasks) {
        loop {
            tokio::select! {
                biased;
                () = tasks.stopping() => return,
                () = sleep(LOOK) => {}
            }
            let certificates = Arc::clone(&self);
            // Files are read, which may take a while.
            let looking = tokio::task::spawn_blocking(move || certificates.look());
            if let Err(error) = looking.await {
                tracing::error!("looking at the TLS files: {error}");
            }
        }
    }

    /// Shows what a configuration that was read once more says, from the next handshake on.
    pub(super) fn take(&self, shown: &ServerTls) {
        let mut state = self.state.lock();
        let is_same = state.files == shown.files;
        if is_same && shown.reading < state.latest {
            return;
        }
        if is_same && state.used == shown.contents {
            self.note_use(&mut state, shown.reading);
        } else {
            self.replace(&mut state, shown);
        }
    }

    /// Reads the files, and shows what has changed in them. Blocks.
    ///
    /// A certificate and its key are two files, and each may be read while it is written: what is of no use
    /// is given until the next look to become what it was meant to be, and then said once.
    fn look(&self) {
        let files = self.state.lock().files.clone();
        self.judge(&files.read());
    }

    fn judge(&self, read: &TlsContents) {
        let (contents, understood) = (read.digest(), read.understand());
        let mut state = self.state.lock();
        // Told otherwise meanwhile: it will be looked at in its turn.
        if state.files != read.files() || read.reading() < state.latest {
            return;
        }
        if contents == state.used {
            return self.note_use(&mut state, read.reading());
        }
        match understood {
            Ok(shown) => self.replace(&mut state, &shown),
            Err(mistakes) => self.note_useless(&mut state, contents, &mistakes),
        }
    }

    fn replace(&self, state: &mut State, shown: &ServerTls) {
        if let Err(error) = self.tls.replace(shown) {
            tracing::error!("{error}: what is shown in TLS stays as it was");
            return self.note_failure();
        }
        state.files = shown.files.clone();
        state.used = shown.contents;
        self.note_use(state, shown.reading);
        self.tell_ends(shown);
        for doubt in shown.doubts(SystemTime::now()) {
            tracing::warn!("{} {}", doubt.key, doubt.text);
        }
        let first = shown.identities.first();
        let certificate = first.map(|first| first.certificate().server());
        tracing::info!(
            certificate,
            "the TLS files have changed: they count from the next handshake on"
        );
    }

    fn note_use(&self, state: &mut State, reading: Reading) {
        state.latest = reading;
        state.useless = None;
        self.metrics.tls.reload_failed.set(0);
    }

    fn note_useless(&self, state: &mut State, contents: ContentDigest, mistakes: &[Remark]) {
        let before = state.useless.filter(|before| before.contents == contents);
        let is_said = before.is_some();
        if before.is_some_and(|before| !before.is_said) {
            let said = mistakes.iter().map(|it| format!("{}: {}", it.key, it.text));
            let said = said.collect::<Vec<_>>().join("; ");
            tracing::error!("{said}; what is shown in TLS stays as it was");
            self.note_failure();
        }
        state.useless = Some(Useless { contents, is_said });
    }

    fn note_failure(&self) {
        self.metrics.tls.reload_failures.inc();
        self.metrics.tls.reload_failed.set(1);
    }

    fn tell_ends(&self, shown: &ServerTls) {
        let certificates = shown.identities.iter().map(|identity| {
            let certificate = identity.certificate();
            (certificate.server(), certificate.ends())
        });
        self.metrics.tls.show(certificates);
    }
}

#[cfg(test)]
mod tests;
