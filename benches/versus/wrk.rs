//! `wrk`, a client that copies bodies and speaks TLS: a second opinion on the hits.

use anyhow::{Context, Result, ensure};

use crate::body;
use crate::figures::{Metric, Sample};
use crate::load::{Expect, TOKEN, head, path};
use crate::rows::Effort;
use crate::servers::{LOAD_CORE, bare};
use crate::usage::{Processes, Spent};

/// One run of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) tls: bool,
    pub(crate) port: u16,
    pub(crate) connections: usize,
    pub(crate) size: u64,
    pub(crate) number: u64,
}

impl Run {
    /// Runs it, and holds what it says against what the server took meanwhile.
    pub(crate) fn measure(self, server: &Processes, effort: Effort) -> Result<Sample> {
        let this = Processes::this();
        let (before, load_before) = (server.taken()?, this.ticks()?);
        // It takes whole seconds.
        let said = self.once(effort.window.as_secs_f64().ceil() as u64)?;
        let spent = server.taken()?.since(&before);
        let load = Spent {
            passed: spent.passed,
            busy: this.ticks()?.saturating_sub(load_before),
        };
        let answers = number(&said, " requests in ")?;
        let rate = number_after(&said, "Requests/sec:")?;
        let gigabytes = answers * self.size as f64 / 1e9;
        let busy = spent.busy.as_secs_f64();
        Ok(Sample::from([
            (Metric::Rate, rate),
            (Metric::Gigabytes, rate * self.size as f64 / 1e9),
            (Metric::Median, micros(word_after(&said, "50%")?)?),
            (Metric::Slowest, micros(word_after(&said, "99%")?)?),
            (Metric::CpuAnswer, busy * 1e6 / answers),
            (Metric::CpuGigabyte, busy / gigabytes),
            (Metric::Busy, spent.share()),
            (Metric::LoadBusy, load.share()),
        ]))
    }

    /// Has the server fetch the artifact, and makes sure that it found it the next time, whole: `wrk` itself looks
    /// at no header, and our load speaks no TLS.
    pub(crate) fn fill(self) -> Result<()> {
        for expect in [Expect::Body(self.size), Expect::Hit(self.size)] {
            let output = bare::command("curl")
                // Not somebody's `.curlrc`.
                .args(["--disable", "--insecure", "--silent", "--show-error"])
                .args(["--max-time", "20", "--http1.1", "--tlsv1.3"])
                .args(["--tls13-ciphers", "TLS_AES_256_GCM_SHA384"])
                .args(["--dump-header", "-", "--output", "-", "--header"])
                .args([&format!("Authorization: Bearer {TOKEN}"), &self.url()])
                .output()
                .context("curl")?;
            let head = head::read(&output.stdout, expect)?;
            let said = String::from_utf8_lossy(&output.stderr);
            let head = head.with_context(|| format!("curl: {said}"))?;
            let bytes = &output.stdout[head.bytes..];
            let whole = bytes.len() as u64 == head.body;
            ensure!(
                whole && body::has(&body::piece(), 0, bytes),
                "a body has other bytes than the origin's"
            );
        }
        Ok(())
    }

    fn url(self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let path = path(self.size, self.number);
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    fn once(self, seconds: u64) -> Result<String> {
        let output = bare::command("taskset")
            .args(["-c", &LOAD_CORE.to_string(), "wrk", "-t1", "--latency"])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{seconds}s"))
            .args(["-H", &format!("Authorization: Bearer {TOKEN}"), &self.url()])
            .output()
            .context("taskset and wrk")?;
        let said = String::from_utf8(output.stdout)?;
        let sound =
            output.status.success() && !said.contains("Non-2xx") && !said.contains("Socket errors");
        ensure!(
            sound,
            "wrk: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }
}

/// Whether it is there to be run.
pub(crate) fn is_installed() -> bool {
    // It has no way to say so that succeeds.
    bare::command("wrk").arg("-v").output().is_ok()
}

fn number(said: &str, before: &str) -> Result<f64> {
    let found = said.split_once(before).context("a number of wrk's")?.0;
    Ok(found
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default()
        .parse()?)
}

fn number_after(said: &str, name: &str) -> Result<f64> {
    Ok(word_after(said, name)?.parse()?)
}

fn word_after<'a>(said: &'a str, name: &str) -> Result<&'a str> {
    let rest = said.lines().find_map(|line| line.trim().strip_prefix(name));
    rest.map(str::trim)
        .with_context(|| format!("wrk says no {name}"))
}

fn micros(text: &str) -> Result<f64> {
    for (unit, times) in [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 6e7)] {
        if let Some(digits) = text.strip_suffix(unit) {
            return Ok(digits.parse::<f64>()? * times);
        }
    }
    text.parse().context("a time of wrk's")
}
