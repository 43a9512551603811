//! Bodies larger than memory should be.

use crate::support::{Origin, Setup, artifact, bytes};

#[tokio::test]
async fn a_large_artifact_up_and_down_leaves_memory_alone() {
    const LARGE: usize = 100 << 20;
    let origin = Origin::start();
    let body = bytes(1, LARGE);
    let larder = Setup::before(&origin)
        .set("tier.memory.capacity", "16MiB")
        .start()
        .await;
    let mut client = larder.client();
    client.put(&artifact("warm-up"), &bytes(2, 100_000)).await;
    client
        .get(&artifact("warm-up"))
        .await
        .assert_body(&bytes(2, 100_000));
    let before = larder.process().resident();
    let peak = larder
        .process()
        .peak_during(async {
            assert_eq!(client.put(&artifact("aa"), &body).await.status, 202);
            client.get(&artifact("aa")).await.assert_body(&body);
            origin.hold("bb", &body);
            client.get(&artifact("bb")).await.assert_body(&body);
        })
        .await;
    let grown = peak.saturating_sub(before) >> 20;
    assert!(grown < 64, "grew by {grown} MiB");
    assert_eq!(
        (origin.gets("aa"), origin.gets("bb")),
        (0, 1),
        "the upload's download was a hit"
    );
}
