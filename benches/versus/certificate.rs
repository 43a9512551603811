//! A certificate for the rows with TLS, the same kind for every server.

use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{CertifiedKey, generate_simple_self_signed};

/// Where the two files are.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// The certificate, P-256, signed by itself.
    pub(crate) certificate: String,
    /// Its key.
    pub(crate) key: String,
}

impl Certificate {
    /// Makes one in this folder.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()])?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text)?;
            path.to_str().map(str::to_owned).context("a path is text")
        };
        Ok(Self {
            certificate: write("certificate.pem", cert.pem())?,
            key: write("key.pem", signing_key.serialize_pem())?,
        })
    }
}
