//! Without a command: it says where it is, and ends when nobody asks any more.

use std::fs;
use std::net::SocketAddr;

use crate::support::{Client, Process, Setup, artifact};

/// A step of a CI that goes on once Larder is there.
const STEP: &str = r#"
eval "$("$0" exec --config "$1" --idle-exit 1s &)"
echo "TURBO_API=$TURBO_API $TURBO_TOKEN $TURBO_TEAM"
"#;

#[tokio::test]
async fn a_step_goes_on_once_it_listens_and_it_ends_with_the_quiet() {
    let setup = Setup::alone();
    let file = setup.directory().join("github-env");
    fs::write(&file, "BEFORE=1\n").expect("a file");
    let variable = file.to_str().expect("a plain path");
    let setup = setup.variable("GITHUB_ENV", variable);
    let mut process = Process::spawn(setup.script(STEP));
    let port = process.port().await;
    let mut client = Client::new(SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!(client.put(&artifact("aa"), b"body").await.status, 202);
    drop(client);
    // Both hold the pipe of its errors: that ends with the later of the two.
    let exit = process.exit().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let led = format!("TURBO_API=http://127.0.0.1:{port}");
    assert_eq!(exit.stdout, format!("{led} anything my-team\n"));
    assert!(exit.stderr.contains("1 stored\n"), "{}", exit.stderr);
    let told = fs::read_to_string(&file).expect("a file");
    let expected = format!("BEFORE=1\n{led}\nTURBO_TOKEN=anything\nTURBO_TEAM=my-team\n");
    assert_eq!(told, expected);
}

#[tokio::test]
async fn one_that_cannot_start_exports_nothing_and_fails_no_step() {
    let setup = Setup::alone().set("upstream.url", "ftp://nowhere");
    let lenient = ["exec", "--config", "{config}", "--idle-exit", "1s"];
    let exit = setup.run(&lenient).await;
    assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), ""));
    let strict = [&lenient[..], &["--strict"]].concat();
    assert_eq!(setup.run(&strict).await.code, Some(2));
}
