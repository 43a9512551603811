//! What a running process can be told anew.

use std::path::PathBuf;
use std::sync::Arc;

use super::secrets::SecretError;
use super::{make_first_token, own_credential};
use crate::access::Access;
use crate::caller::Sealer;
use crate::config::Config;

/// The keys whose values are applied while requests run.
const LIVE: [&str; 2] = ["access.tokens", "access.oidc"];

/// And those of which only what they point at is: with one or without is another way to work.
const LIVE_BEHIND: [&str; 1] = ["upstream.token_file"];

/// The parts of a running process that can be told anew.
#[derive(Debug)]
pub struct Live {
    pub(super) access: Arc<Access>,
    pub(super) sealer: Arc<Sealer>,
    /// Where the running process keeps its secrets, whatever a newer configuration says.
    pub(super) data_dir: PathBuf,
}

impl Live {
    /// Applies what can be applied of `config`; requests under way finish as they began. Blocks.
    pub fn apply(&self, config: &Config) -> Result<(), SecretError> {
        let mut config = config.clone();
        config.data_dir.clone_from(&self.data_dir);
        make_first_token(&mut config)?;
        let own = own_credential(&config, &self.sealer);
        self.access.replace(&config.access.mode, own);
        Ok(())
    }

    /// Whether a key that changed in this way needs no start to take effect.
    pub fn applies(&self, key: &str, old: Option<&String>, new: Option<&String>) -> bool {
        let is_behind = LIVE_BEHIND.contains(&key) && old.is_some() == new.is_some();
        old == new || is_behind || LIVE.contains(&key)
    }
}
