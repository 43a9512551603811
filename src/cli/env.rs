//! `larder env`: what points turbo at a Larder, where one answers: laptops leave the office.
//!
//! Whatever goes wrong it prints nothing, so that a shell may always evaluate what it prints.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use bytes::Bytes;
use clap::Args;
use http::header::HOST;
use http::uri::Scheme;
use http::{Request, Uri};
use http_body_util::Empty;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::cache_status::last_word;
use super::once::{self, Stream};
use super::shell::Shell;
use super::{complain, quick_runtime, unless_read_enough};
use crate::upstream::as_the_system_trusts;

/// How long it takes at most, the name's look-up and TLS included: every new shell may wait for it.
const PATIENCE: Duration = Duration::from_millis(300);

/// Answered by a Larder itself, whatever stands behind it, and to whoever asks.
const QUESTION: &str = "/v8/artifacts/events";

/// Which Larder, and who reads what is printed.
#[derive(Args, Debug)]
pub(super) struct EnvFlags {
    /// Where turbo would reach it, such as `http://larder.office:8585`
    #[arg(value_parser = url)]
    url: Uri,
    /// Who reads what is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "sh")]
    format: Shell,
    /// Says on standard error why nothing is printed
    #[arg(long, short)]
    verbose: bool,
}

/// Asks, and prints one line or none.
pub(super) fn run(flags: &EnvFlags) -> anyhow::Result<ExitCode> {
    let runtime = quick_runtime()?;
    let asked = runtime.block_on(async { timeout(PATIENCE, ask(&flags.url)).await });
    // The system may still be looking up the name.
    runtime.shutdown_background();
    match asked.unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}"))) {
        Ok(()) => {
            let line = flags.format.line("TURBO_API", &shown(&flags.url));
            unless_read_enough(print(&line))?;
        }
        Err(error) if flags.verbose => {
            complain(&[format!(
                "larder: no Larder at {}: {error:#}",
                shown(&flags.url)
            )]);
        }
        Err(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

/// What turbo can be pointed at: it puts its paths behind it.
fn url(text: &str) -> Result<Uri, String> {
    let wrong = || "is no URL such as http://larder.office:8585".to_owned();
    let url: Uri = text.parse().map_err(|_| wrong())?;
    let is_spoken = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&url.scheme());
    let is_named = url.host().is_some_and(|host| !host.is_empty());
    let is_base = url.query().is_none() && !text.contains(['#', '@']);
    if is_spoken && is_named && is_base {
        Ok(url)
    } else {
        Err(wrong())
    }
}

/// Without the slash that turbo would put another behind.
fn shown(url: &Uri) -> String {
    url.to_string().trim_end_matches('/').to_owned()
}

/// Fails unless a Larder answers there.
async fn ask(url: &Uri) -> anyhow::Result<()> {
    let authority = url.authority().context("names no host")?;
    let path = url.path().trim_end_matches('/');
    let request = Request::options(format!("{path}{QUESTION}"))
        .header(HOST, authority.as_str())
        .body(Empty::<Bytes>::new())?;
    once::ask(connect(url).await?, request, async |answer| {
        let word = last_word(answer.headers()).unwrap_or_default();
        let is_larder = word.split(';').next() == Some("larder");
        ensure!(is_larder, "something else answers there");
        let status = answer.status();
        ensure!(status.is_success(), "it refuses: {status}");
        Ok(())
    })
    .await
}

async fn connect(url: &Uri) -> anyhow::Result<Box<dyn Stream>> {
    let host = url.host().context("names no host")?;
    let bare = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let is_secured = url.scheme() == Some(&Scheme::HTTPS);
    let usual = if is_secured { 443 } else { 80 };
    let address = (bare.clone(), url.port_u16().unwrap_or(usual));
    let stream = TcpStream::connect(address).await?;
    if !is_secured {
        return Ok(Box::new(stream));
    }
    let tls = spawn_blocking(as_the_system_trusts).await??;
    let name = ServerName::try_from(bare)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_turbo_can_be_pointed_at_is_a_url() {
        for good in ["http://a", "https://a:1/b", "http://[::1]:8585/"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "/a",
            "ftp://a",
            "http://",
            "http://a?b",
            "http://u:p@a",
            "http://a b",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
        assert_eq!(shown(&url("http://a:1/").unwrap()), "http://a:1");
    }
}
