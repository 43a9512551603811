//! The third table: which status answers best an upload that could not be delivered.

use super::{Base, Cell, print};
use crate::client::{Client, Version};
use crate::faults::{Class, Front};
use crate::monorepo::Monorepo;
use crate::origin::Origin;
use crate::{SLUG, remote};

const STATUSES: [u16; 10] = [400, 404, 409, 412, 424, 429, 500, 502, 503, 504];

#[test]
#[ignore = "measures for a minute or two: just outages"]
fn of_uploads() {
    for version in [Version::V2_11, Version::V2_0, Version::V1_10] {
        if let Some(client) = Client::get(version) {
            print_table(&client, version);
        }
    }
}

fn print_table(client: &Client, version: Version) {
    let fresh = || Monorepo::layered(version);
    let mut base = Base::new(client, &fresh);
    let cells = STATUSES.map(|status| {
        base.measure();
        let cell = Cell::measure(|| measure(client, &fresh(), status));
        cell.told(version, &format!("uploads answered {status}"))
    });
    let mut lines = vec![
        base.caption(version),
        String::new(),
        "| PUT answered | reads asked | artifacts uploaded | PUTs | warnings | seconds added |"
            .to_owned(),
        "|--:|--:|--:|--:|--:|--:|".to_owned(),
    ];
    let rows = STATUSES.iter().zip(&cells);
    lines.extend(
        rows.map(|(status, cell)| format!("| {status} | {} | {} |", cell.notes, cell.added(&base))),
    );
    print(&lines);
}

fn measure(client: &Client, monorepo: &Monorepo, status: u16) -> Cell {
    let origin = Origin::start();
    let mut front = Front::before(origin.address());
    let class = Class::uploads_answered(status);
    front.turn(class);
    let url = front.url(class.fault);
    let run = client.build(monorepo, &remote(&url, SLUG));
    let counts = [
        front.reads(),
        front.uploaded(),
        front.uploads(),
        warnings(&run.transcript),
    ];
    Cell {
        took: run.took,
        notes: counts.map(|count| count.to_string()).join(" | "),
    }
}

/// Lines by which the client tells its user that something is wrong with the cache.
fn warnings(transcript: &str) -> usize {
    transcript
        .lines()
        .filter(|line| line.contains("WARNING") && line.to_lowercase().contains("remote"))
        .count()
}
