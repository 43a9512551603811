//! A machine that builds: it asks for artifacts over HTTP as turbo does, and uploads what is missing.
//!
//! No task runs on it.

use std::future::ready;
use std::net::SocketAddr;
use std::ops::Add;

use anyhow::{Context, anyhow, bail, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::super::cache_status::last_word;
use super::build::{Artifact, DURATION, ROUTE, authorization};

/// Requests of one machine at once: turbo's own bound.
const IN_FLIGHT: usize = 10;

/// Longest answer that is no artifact.
const MAX_ANSWER: usize = 64 * 1024;

/// A machine with connections of its own.
#[derive(Debug)]
pub(super) struct Machine {
    client: Client<HttpConnector, Full<Bytes>>,
    server: SocketAddr,
}

/// What a build found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Artifacts asked for.
    pub(super) tasks: usize,
    /// Those that were there.
    pub(super) hits: usize,
    /// Those of them that came out of Larder's tiers.
    pub(super) from_larder: usize,
}

// === impl Machine ===

impl Machine {
    /// Sets up a machine that talks to `server`.
    pub(super) fn new(server: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, server }
    }

    /// Builds: finds or uploads every artifact.
    ///
    /// # Errors
    ///
    /// When an exchange breaks, an upload is refused, or an artifact comes back as another.
    pub(super) async fn build(&self, artifacts: &[Artifact]) -> anyhow::Result<Tally> {
        // As for turbo, what it says is a banner at most.
        finish(self.send(Method::GET, "status", Bytes::new(), 0).await?).await?;
        stream::iter(artifacts)
            .map(|artifact| self.task(artifact))
            .buffer_unordered(IN_FLIGHT)
            .try_fold(Tally::default(), |tally, found| ready(Ok(tally + found)))
            .await
    }

    async fn task(&self, artifact: &Artifact) -> anyhow::Result<Tally> {
        let hash = &artifact.hash;
        let response = self.send(Method::GET, hash, Bytes::new(), 0).await?;
        match response.status().as_u16() {
            200 => {}
            404 => {
                finish(response).await?;
                self.upload(artifact).await?;
                return Ok(Tally {
                    tasks: 1,
                    ..Tally::default()
                });
            }
            code => bail!("artifact {hash} was answered with status {code}"),
        }
        let from_larder = usize::from(is_hit(response.headers()));
        let compared = artifact.compare(response).await;
        compared.with_context(|| format!("artifact {hash} came back changed"))?;
        Ok(Tally {
            tasks: 1,
            hits: 1,
            from_larder,
        })
    }

    async fn upload(&self, artifact: &Artifact) -> anyhow::Result<()> {
        let Artifact {
            hash,
            duration,
            body,
        } = artifact;
        let response = self
            .send(Method::PUT, hash, body.clone(), *duration)
            .await?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the upload of {hash} was refused: {status}"
        );
        finish(response).await
    }

    async fn send(
        &self,
        method: Method,
        name: &str,
        body: Bytes,
        duration: u64,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("http://{}{ROUTE}{name}?slug=demo", self.server))
            .header(AUTHORIZATION, authorization());
        if method == Method::PUT {
            request = request.header(DURATION, duration);
        }
        let sent = self.client.request(request.body(Full::new(body))?).await;
        sent.with_context(|| format!("no answer to {method} {name}"))
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tasks: self.tasks + other.tasks,
            hits: self.hits + other.hits,
            from_larder: self.from_larder + other.from_larder,
        }
    }
}

/// Reads a small answer to its end, so that its connection can be used again.
async fn finish(response: Response<Incoming>) -> anyhow::Result<()> {
    let read = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await;
    read.map_err(|error| anyhow!("an answer could not be read: {error}"))?;
    Ok(())
}

/// Whether Larder says that it had the artifact.
fn is_hit(headers: &HeaderMap) -> bool {
    last_word(headers).is_some_and(|member| member.starts_with("larder; hit"))
}

#[cfg(test)]
mod tests {
    use super::super::build::artifacts;
    use super::super::origin::Origin;
    use super::*;
    use crate::tasks::Tasks;

    #[tokio::test]
    async fn the_second_machine_finds_what_the_first_uploaded() {
        let tasks = Tasks::new();
        let origin = Origin::open(&tasks).await.unwrap();
        let artifacts: Vec<_> = artifacts().into_iter().skip(1).take(3).collect();
        let first = Machine::new(origin).build(&artifacts).await.unwrap();
        let second = Machine::new(origin).build(&artifacts).await.unwrap();
        assert_eq!(
            first,
            Tally {
                tasks: 3,
                hits: 0,
                from_larder: 0
            }
        );
        assert_eq!(
            second,
            Tally {
                tasks: 3,
                hits: 3,
                from_larder: 0
            }
        );
        tasks.stop();
    }
}
