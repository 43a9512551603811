//! What is built: a fixed set of artifacts, and how they are named on the wire.

use anyhow::{Context, ensure};
use bytes::{Buf, Bytes};
use http::Response;
use http::header::{HeaderName, HeaderValue};
use http_body::Body;
use http_body_util::BodyExt;

/// Where artifacts are, at Larder as at the origin.
pub(super) const ROUTE: &str = "/v8/artifacts/";

/// How long the task took whose artifact this is, in milliseconds.
pub(super) const DURATION: HeaderName = HeaderName::from_static("x-artifact-duration");

/// Largest artifact of the build.
pub(super) const MAX_ARTIFACT: usize = 2 * 1024 * 1024;

/// Sizes in bytes, of logs of a few lines up to bundled applications, in the order of the build.
const SIZES: [usize; 24] = [
    1_900_000, 310, 6_400, 740_000, 2_100, 420, 1_500_000, 58_000, 290, 19_000, 2_050_000, 900,
    350, 1_200_000, 96_000, 3_800, 610, 2_097_152, 33_000, 480, 320_000, 11_000, 1_750_000, 1_300,
];

/// One task's artifact.
#[derive(Debug)]
pub(super) struct Artifact {
    /// Its name.
    pub(super) hash: String,
    /// What its task is said to have taken, in milliseconds.
    pub(super) duration: u64,
    /// Its bytes.
    pub(super) body: Bytes,
}

/// The credential that the origin takes.
pub(super) fn authorization() -> HeaderValue {
    HeaderValue::from_static("Bearer demo")
}

/// The artifacts of the build, the same in every run.
pub(super) fn artifacts() -> Vec<Artifact> {
    let seeds = 1..;
    let seeded = seeds.zip(SIZES);
    seeded
        .map(|(seed, size)| Artifact::new(seed, size))
        .collect()
}

/// The bytes of all of them together.
pub(super) fn total(artifacts: &[Artifact]) -> u64 {
    let sizes = artifacts.iter().map(|artifact| artifact.body.len() as u64);
    sizes.sum()
}

impl Artifact {
    /// Makes up an artifact of bytes that no line could compress.
    fn new(seed: u64, size: usize) -> Self {
        let noise = (1..).map(|step| scramble(seed << 32 | step));
        let body: Vec<u8> = noise.flat_map(u64::to_le_bytes).take(size).collect();
        let (hash, duration) = (
            format!("{:016x}", scramble(seed)),
            1_000 + size as u64 / 200,
        );
        Self {
            hash,
            duration,
            body: body.into(),
        }
    }

    /// Reads an answer to its end and checks that it is this artifact, whole and unchanged.
    pub(super) async fn compare<B>(&self, response: Response<B>) -> anyhow::Result<()>
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin,
    {
        let duration = response.headers().get(DURATION);
        ensure!(duration == Some(&self.duration.into()), "another duration");
        let (mut body, mut expected) = (response.into_body(), self.body.clone());
        while let Some(frame) = body.frame().await {
            let data = frame.context("a cut body")?.into_data().unwrap_or_default();
            ensure!(expected.starts_with(&data), "other bytes");
            expected.advance(data.len());
        }
        ensure!(expected.is_empty(), "a short body");
        Ok(())
    }
}

/// Mixes a number until it looks like none in particular (the finaliser of `SplitMix64`).
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn anything_but_the_same_artifact_is_noticed() {
        let artifact = Artifact::new(1, 9);
        let whole = artifact.body.to_vec();
        let mut flipped = whole.clone();
        flipped[8] ^= 1;
        let longer = [&whole[..], b"x"].concat();
        let others = [&flipped, &longer, &whole[1..], &whole[..8], b""];
        for (body, same) in others
            .map(|other| (other, false))
            .into_iter()
            .chain([(&whole[..], true)])
        {
            let mut response = Response::new(Full::new(Bytes::copy_from_slice(body)));
            response
                .headers_mut()
                .insert(DURATION, artifact.duration.into());
            assert_eq!(artifact.compare(response).await.is_ok(), same, "{body:?}");
        }
        let bare = Response::new(Full::new(artifact.body.clone()));
        assert!(artifact.compare(bare).await.is_err());
    }

    #[test]
    fn artifacts_are_the_same_in_every_run_and_differ_from_one_another() {
        let (one, other) = (artifacts(), artifacts());
        for (index, artifact) in one.iter().enumerate() {
            assert_eq!(
                (&artifact.hash, &artifact.body),
                (&other[index].hash, &other[index].body)
            );
            assert!(artifact.body.len() <= MAX_ARTIFACT);
            for later in &one[index + 1..] {
                assert_ne!(later.hash, artifact.hash);
                assert_ne!(later.body[..64], artifact.body[..64]);
            }
        }
    }
}
