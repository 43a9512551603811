//! What is asked of an admin listener, and in which order.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::tasks::Tasks;

/// An admin listener that gives these answers one after the other, and what it was asked.
async fn stub(answers: &[&'static str]) -> (Inquiry, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (noted, answers) = (Arc::clone(&asked), answers.to_vec());
    Tasks::new().spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            while !is_whole(&request) {
                let mut bytes = [0; 4096];
                let length = socket.read(&mut bytes).await.unwrap();
                request += std::str::from_utf8(&bytes[..length]).unwrap();
            }
            noted.lock().push(request);
            let length = answer.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            socket
                .write_all(format!("{head}{answer}").as_bytes())
                .await
                .unwrap();
        }
    });
    (Inquiry::at(&address, "sesame").unwrap(), asked)
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn first_lines(asked: &Mutex<Vec<String>>) -> Vec<String> {
    let asked = asked.lock();
    let lines = asked.iter().map(|it| it.lines().next().unwrap().to_owned());
    lines.collect()
}

fn flags(hashes: &[&str]) -> PurgeFlags {
    PurgeFlags {
        hash: hashes.iter().map(|&hash| hash.to_owned()).collect(),
        team: Some("a b".to_owned()),
        ..PurgeFlags::default()
    }
}

const ONE: &str = r#"{"removed":1,"bytes":10,"dry_run":true,"next":null}"#;
const MORE: &str = r#"{"removed":1000,"bytes":10,"dry_run":true,"next":"ff"}"#;

#[tokio::test]
async fn hashes_are_held_before_they_are_removed_and_every_page_is_gone_through() {
    let (inquiry, asked) = stub(&[ONE, MORE, ONE, "{}", "{}", ONE, ONE]).await;
    let wanted = PurgeFlags {
        hold: true,
        ..flags(&["aa", "b-b"])
    };
    let mut question = String::new();
    let ask = |text: &str| {
        text.clone_into(&mut question);
        Ok(Said::Yes)
    };
    let code = purge(&inquiry, &wanted, ask).await.unwrap();
    assert_eq!(code, ExitCode::SUCCESS);
    assert_eq!(question, "Remove them and hold these 2 hashes? [y/N] ");
    assert_eq!(
        first_lines(&asked),
        [
            "DELETE /api/v1/entries?hash=aa&team=a%20b&dry_run=true HTTP/1.1",
            "DELETE /api/v1/entries?hash=b%2Db&team=a%20b&dry_run=true HTTP/1.1",
            "DELETE /api/v1/entries?hash=b%2Db&team=a%20b&dry_run=true&after=ff HTTP/1.1",
            "PUT /api/v1/holds HTTP/1.1",
            "PUT /api/v1/holds HTTP/1.1",
            "DELETE /api/v1/entries?hash=aa&team=a%20b&dry_run=false HTTP/1.1",
            "DELETE /api/v1/entries?hash=b%2Db&team=a%20b&dry_run=false HTTP/1.1",
        ]
    );
    let asked = asked.lock();
    let (head, body) = asked[3].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, r#"{"hash":"aa","team":"a b"}"#);
    assert!(head.contains("content-type: application/json"));
    assert!(
        asked
            .iter()
            .all(|it| it.contains("authorization: Bearer sesame"))
    );
}

#[tokio::test]
async fn nothing_is_removed_by_whoever_says_no_or_is_not_there() {
    for (said, expected) in [
        (Said::No, ExitCode::FAILURE),
        (Said::Nothing, ExitCode::from(USAGE)),
    ] {
        let (inquiry, asked) = stub(&[ONE]).await;
        let code = purge(&inquiry, &flags(&["aa"]), |_| Ok(said)).await;
        assert_eq!(code.unwrap(), expected);
        assert_eq!(asked.lock().len(), 1);
    }
}

#[tokio::test]
async fn whoever_says_yes_beforehand_is_not_asked() {
    let (inquiry, asked) = stub(&[ONE, ONE]).await;
    let wanted = PurgeFlags {
        all: true,
        yes: true,
        ..PurgeFlags::default()
    };
    let code = purge(&inquiry, &wanted, |_| panic!("asked")).await;
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    let expected = ["true", "false"]
        .map(|is_dry| format!("DELETE /api/v1/entries?all=true&dry_run={is_dry} HTTP/1.1"));
    assert_eq!(first_lines(&asked), expected);
}

#[tokio::test]
async fn where_nothing_rests_nobody_is_asked_and_what_is_on_its_way_does_not_land() {
    const NONE: &str = r#"{"removed":0,"bytes":0,"dry_run":true,"next":null,"unreadable":0}"#;
    let (inquiry, asked) = stub(&[NONE, NONE]).await;
    let code = purge(&inquiry, &flags(&["aa"]), |_| panic!("asked")).await;
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    assert!(first_lines(&asked)[1].contains("dry_run=false"));
}

#[tokio::test]
async fn what_could_not_be_read_is_no_success() {
    const UNREADABLE: &str =
        r#"{"removed":1,"bytes":10,"dry_run":false,"next":null,"unreadable":2}"#;
    let (inquiry, _) = stub(&[ONE, UNREADABLE]).await;
    let code = purge(&inquiry, &flags(&["aa"]), |_| Ok(Said::Yes)).await;
    assert_eq!(code.unwrap(), ExitCode::FAILURE);
}
