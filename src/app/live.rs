//! What a running process can be told anew.

use std::path::PathBuf;
use std::sync::Arc;

use super::certificates::Certificates;
use super::make_first_token;
use super::parts::{begin_log_at, own_credential};
use super::secrets::SecretError;
use crate::access::Access;
use crate::caller::Sealer;
use crate::config::{Config, Target};
use crate::server::{Limits, LiveLimits};
use crate::telemetry::AccessLog;

/// The keys whose values are applied while requests run.
const LIVE: [&str; 17] = [
    "access.tokens",
    "access.oidc",
    "log.level",
    "server.handshake_timeout",
    "server.header_timeout",
    "server.idle_timeout",
    "server.body_timeout",
    "server.stall_timeout",
    "server.min_rate",
    "server.max_head",
    "server.max_fields",
    "server.max_streams",
    "server.max_connections",
    "server.max_connections_per_address",
    "server.max_handshakes",
    "server.tls.client_ca",
    "server.tls.client_crl",
];

/// And those that are where they are set before and after: with one or without is another way to work.
const LIVE_BEHIND: [&str; 3] = ["upstream.token_file", "server.tls.cert", "server.tls.key"];

/// The parts of a running process that can be told anew.
#[derive(Debug)]
pub struct Live {
    pub(super) access: Arc<Access>,
    pub(super) sealer: Arc<Sealer>,
    pub(super) limits: LiveLimits,
    pub(super) access_log: Arc<AccessLog>,
    /// What is shown in TLS, where that is spoken.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// Where requests go, whatever a newer configuration says.
    pub(super) upstream: Target,
    /// Where the running process keeps its secrets, whatever a newer configuration says.
    pub(super) data_dir: PathBuf,
}

impl Live {
    /// Applies what can be applied of `config`; requests under way finish as they began. Blocks.
    ///
    /// A list that lost its last entry lets nobody in, whatever would judge after a start: who was
    /// taken off it is meant to be out. Where it still judges, a token is made as at a first start; where it does not, the next start makes
    /// one.
    pub fn apply(&self, mut config: Config) -> Result<(), SecretError> {
        if self.access.has_roster()
            && let Some(made) = make_first_token(&mut config, &self.data_dir)?
        {
            tracing::warn!(
                token = %made.display(),
                "the list of tokens is empty: the one in this file may do everything"
            );
        }
        self.access.replace_roster(&config.access.roster);
        let ahead = self.limits.get().ahead;
        self.limits.set(Limits::new(&config.server, ahead));
        begin_log_at(config.log.level, &self.access_log);
        if let (Some(certificates), Some(tls)) = (&self.certificates, &config.server.tls) {
            certificates.take(tls);
        }
        // A credential for another upstream is none of this one's business.
        if config.upstream.target == self.upstream
            && let Some(own) = own_credential(&mut config.upstream, &self.sealer)
        {
            self.access.replace_own(own);
        }
        Ok(())
    }

    /// Whether a key that changed in this way needs no start to take effect.
    pub fn applies(key: &str, old: Option<&String>, new: Option<&String>) -> bool {
        let is_behind = LIVE_BEHIND.contains(&key) && old.is_some() == new.is_some();
        old == new || is_behind || LIVE.contains(&key)
    }
}
