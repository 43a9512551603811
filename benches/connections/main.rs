//! What a connection takes of Larder's memory, by what its client does: `just connections`.
//!
//! For each row a Larder of its own gets a few hundred clients; what its own memory has grown by is divided by
//! their number. Prints the table of docs/measured.md.

#![expect(
    clippy::print_stdout,
    reason = "a measurement prints, and may fail loudly"
)]

mod clients;
mod larder;
mod streams;

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use clients::{Client, Trust};
use larder::{LARGE, Larder, Setup};
use streams::Shared;

/// Clients of a row.
const CLIENTS: usize = 300;
/// Streams that share a connection.
const STREAMS: usize = 100;
/// After which nothing more happens by itself.
const A_MOMENT: Duration = Duration::from_millis(1500);
/// Memory for bodies: more than anybody asks for, and none.
const ENOUGH: &str = "4GiB";
const NONE: &str = "1B";

/// What a client does before it falls silent.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Nothing,
    Fetched,
    Uploaded,
    /// Takes the head of a large answer, and no more.
    Reads,
    /// Sends the first part of a large upload, and no more.
    Uploads,
}

/// How it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Http1,
    /// A connection for each.
    Http2,
    /// Few connections, with many requests on each.
    Streams,
}

const ROWS: [(&str, Way, Deed); 11] = [
    ("HTTP/1.1, idle", Way::Http1, Deed::Nothing),
    ("HTTP/1.1, idle after a GET", Way::Http1, Deed::Fetched),
    (
        "HTTP/1.1, idle after a PUT of 4 MiB",
        Way::Http1,
        Deed::Uploaded,
    ),
    (
        "HTTP/1.1, takes nothing of an answer",
        Way::Http1,
        Deed::Reads,
    ),
    ("HTTP/1.1, half an upload", Way::Http1, Deed::Uploads),
    ("HTTP/2, idle", Way::Http2, Deed::Nothing),
    ("HTTP/2, idle after a GET", Way::Http2, Deed::Fetched),
    (
        "HTTP/2, idle after a PUT of 4 MiB",
        Way::Http2,
        Deed::Uploaded,
    ),
    (
        "HTTP/2, takes nothing of an answer",
        Way::Http2,
        Deed::Reads,
    ),
    (
        "HTTP/2, the same, each of 100 on a connection",
        Way::Streams,
        Deed::Reads,
    ),
    ("HTTP/2, half an upload", Way::Http2, Deed::Uploads),
];

#[tokio::main]
async fn main() -> Result<()> {
    println!("KiB a client, of {CLIENTS}:\n");
    println!("| what it does | clear | clear, short | TLS | TLS, short | left behind |");
    println!("|---|--:|--:|--:|--:|--:|");
    // Some rows only, by a part of their names.
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let rows = ROWS.into_iter().filter(|(name, ..)| name.contains(&wanted));
    for (name, way, deed) in rows {
        let mut cells = Vec::new();
        let mut left = 0;
        for is_secure in [false, true] {
            for in_flight in [ENOUGH, NONE] {
                let setup = Setup {
                    is_secure,
                    in_flight,
                    memory: "1MiB",
                };
                let (taken, behind) = measured(setup, way, deed).await?;
                left = left.max(behind);
                cells.push(kibibytes(taken));
            }
        }
        println!("| {name} | {} | {} |", cells.join(" | "), kibibytes(left));
    }
    let setup = Setup {
        is_secure: false,
        in_flight: ENOUGH,
        memory: "1GiB",
    };
    let (taken, left) = measured(setup, Way::Http1, Deed::Reads).await?;
    println!(
        "| HTTP/1.1, takes nothing of an answer from the memory tier | {} | | | | {} |",
        kibibytes(taken),
        kibibytes(left)
    );
    Ok(())
}

fn kibibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / 1024;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Bytes by which the process has grown for each client, and for each that has gone again.
async fn measured(setup: Setup, way: Way, deed: Deed) -> Result<(u64, u64)> {
    let larder = Larder::start(setup).await?;
    let trust = larder.trust();
    // What the first of its kind takes once is nobody's.
    drop(visit(&larder, trust, way, deed, STREAMS.min(CLIENTS / 10)).await?);
    sleep(A_MOMENT).await;
    let before = larder.resident()?;
    let guests = visit(&larder, trust, way, deed, CLIENTS).await?;
    sleep(A_MOMENT).await;
    let taken = larder.resident()?.saturating_sub(before);
    drop(guests);
    sleep(A_MOMENT).await;
    let left = larder.resident()?.saturating_sub(before);
    Ok((taken / CLIENTS as u64, left / CLIENTS as u64))
}

/// Those who visit; gone when dropped.
#[derive(Default)]
struct Guests {
    clients: Vec<Client>,
    shared: Vec<Shared>,
}

async fn visit(
    larder: &Larder,
    trust: Option<&Trust>,
    way: Way,
    deed: Deed,
    number: usize,
) -> Result<Guests> {
    let mut guests = Guests::default();
    if way == Way::Http1 {
        for place in 0..number {
            let mut client = Client::connect(larder.address(), trust).await?;
            client.act(deed, place).await?;
            guests.clients.push(client);
        }
        return Ok(guests);
    }
    let each = if way == Way::Streams { STREAMS } else { 1 };
    for first in (0..number).step_by(each) {
        let mut shared = Shared::connect(larder.address(), trust).await?;
        for place in first..(first + each).min(number) {
            shared.act(deed, place).await?;
        }
        guests.shared.push(shared);
    }
    Ok(guests)
}
