//! The first table: each fault of the upstream, met by the client itself and through Larder.

use super::{Base, Cell, print};
use crate::client::{Client, Run, Signing, Version};
use crate::faults::{CLASSES, Class, Front, Hits};
use crate::larder::Home;
use crate::monorepo::Monorepo;
use crate::origin::Origin;
use crate::{SLUG, remote};

/// What is between the client and the fault.
#[derive(Clone, Copy, Debug)]
enum Way {
    Direct,
    LarderEmpty,
    LarderFull,
}

const WAYS: [Way; 3] = [Way::Direct, Way::LarderEmpty, Way::LarderFull];

/// What the cells of one version share.
struct Bench {
    client: Client,
    version: Version,
    /// Holds what every task makes.
    full: Origin,
}

#[test]
#[ignore = "measures for many minutes: just outages"]
fn of_the_upstream_met_by_2_11() {
    print_table(Version::V2_11);
}

#[test]
#[ignore = "measures for many minutes: just outages"]
fn of_the_upstream_met_by_2_0() {
    print_table(Version::V2_0);
}

fn print_table(version: Version) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let fresh = || Monorepo::new(version, Signing::Off);
    let bench = Bench::new(client, version);
    let mut base = Base::new(&bench.client, &fresh);
    // Of its name: one class takes minutes, all of them half an hour.
    let only = std::env::var_os("OUTAGES").unwrap_or_default();
    let only = only.to_string_lossy();
    let rows: Vec<_> = CLASSES
        .iter()
        .filter(|class| class.name.contains(&*only))
        .map(|class| {
            base.measure();
            (class, WAYS.map(|way| bench.cell(*class, way)))
        })
        .collect();
    let mut lines = vec![
        base.caption(version),
        String::new(),
        "| upstream | direct | Larder, nothing held | Larder, all held |".to_owned(),
        "|---|--:|--:|--:|".to_owned(),
    ];
    lines.extend(rows.iter().map(|(class, cells)| {
        let cells = cells.each_ref();
        let cells = cells.map(|cell| format!("{} · {}", cell.added(&base), cell.notes));
        format!("| {} | {} |", class.name, cells.join(" | "))
    }));
    print(&lines);
}

// === impl Bench ===

impl Bench {
    fn new(client: Client, version: Version) -> Self {
        let full = Origin::start();
        let monorepo = Monorepo::new(version, Signing::Off);
        client.build(&monorepo, &remote(&full.url(), SLUG));
        Self {
            client,
            version,
            full,
        }
    }

    fn cell(&self, class: Class, way: Way) -> Cell {
        let cell = Cell::measure(|| self.measure(class, way));
        cell.told(self.version, &format!("{}, {way:?}", class.name))
    }

    /// With hits, and requests that the upstream saw.
    fn measure(&self, class: Class, way: Way) -> Cell {
        let empty = Origin::start();
        let origin = match class.hits {
            Hits::Uploads => &empty,
            Hits::All | Hits::Reads => &self.full,
        };
        let mut front = Front::before(origin.address());
        let monorepo = Monorepo::new(self.version, Signing::Off);
        let (run, before) = match way {
            Way::Direct => {
                front.turn(class);
                (self.build(&monorepo, &front.url(class.fault)), 0)
            }
            Way::LarderEmpty => {
                front.turn(class);
                let home = Home::new(&front.url(class.fault));
                let larder = home.start();
                (self.build(&monorepo, &larder.api), 0)
            }
            Way::LarderFull => self.build_again(&monorepo, &mut front, class),
        };
        Cell {
            took: run.took,
            notes: format!("{} · {}", run.remote_hits, front.requests() - before),
        }
    }

    /// Builds through a Larder that holds everything; also how many requests that had taken.
    fn build_again(&self, monorepo: &Monorepo, front: &mut Front, class: Class) -> (Run, usize) {
        let (url, cure) = (front.url(class.fault), front.cure(class.fault));
        let home = Home::with(&url, &cure);
        home.put("authority.pem", front.certificate());
        let mut larder = home.start();
        for _ in 0..2 {
            self.build(monorepo, &larder.api);
            monorepo.forget_builds();
        }
        front.turn(class);
        if !cure.is_empty() {
            larder.stop();
            home.configure(&url, "");
            larder = home.start();
        }
        let before = front.requests();
        (self.build(monorepo, &larder.api), before)
    }

    fn build(&self, monorepo: &Monorepo, api: &str) -> Run {
        self.client.build(monorepo, &remote(api, SLUG))
    }
}
