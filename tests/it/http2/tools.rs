//! HTTP/2 as others speak it: curl and h2load, where they are installed.

use std::fs;

use crate::support::{Certificate, Larder, Setup, artifact, assert_bytes, bytes, run};

const MIB: usize = 1 << 20;

/// How a client of one kind comes to HTTP/2, and what it needs for that.
async fn larders() -> [(Larder, &'static str, &'static [&'static str]); 2] {
    let clear = Setup::alone().start().await;
    let secured = Setup::alone().secured(&Certificate::new()).start().await;
    [
        (clear, "http", &["--http2-prior-knowledge"]),
        (secured, "https", &["--http2", "--insecure"]),
    ]
}

#[tokio::test]
async fn curl_uploads_and_reads_again() {
    let body = bytes(1, 16 * MIB);
    for (larder, scheme, how) in larders().await {
        let folder = larder.setup().directory();
        let (sent, got) = (folder.join("sent"), folder.join("got"));
        fs::write(&sent, &body).expect("a file");
        let url = format!("{scheme}://{}{}", larder.address(), artifact("aa"));
        let usual = [
            "--silent",
            "--show-error",
            "--fail",
            "--header",
            "authorization: Bearer member",
            "--write-out",
            "%{http_version} %{http_code}",
            "--output",
        ];
        let (sent, got) = (sent.to_str().expect("plain"), got.to_str().expect("plain"));
        let curl = async |more: &[&str]| {
            let all = [how, &usual, more, &[&url]].concat();
            let output = run("curl", &all).await?;
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let Some(told) = curl(&["/dev/null", "--upload-file", sent]).await else {
            return;
        };
        assert_eq!(told, "2 202");
        assert_eq!(curl(&[got]).await.as_deref(), Some("2 200"));
        assert_bytes(&fs::read(got).expect("a file"), &body);
        assert_eq!(
            curl(&["/dev/null", "--head"]).await.as_deref(),
            Some("2 200")
        );
    }
}

#[tokio::test]
async fn h2load_is_answered_however_many_requests_it_makes_at_once() {
    for (larder, scheme, _) in larders().await {
        let client = larder.client().put(&artifact("aa"), &bytes(2, MIB)).await;
        assert_eq!(client.status, 202);
        let url = format!("{scheme}://{}{}", larder.address(), artifact("aa"));
        let bearer = "authorization: Bearer member";
        let load = ["-n400", "-c4", "-m100", "-H", bearer, &url];
        let Some(output) = run("h2load", &load).await else {
            return;
        };
        let told = String::from_utf8_lossy(&output.stdout);
        let all = "400 total, 400 started, 400 done, 400 succeeded, 0 failed, 0 errored";
        assert!(told.contains(all), "{told}");
        assert!(told.contains("status codes: 400 2xx"), "{told}");
    }
}
