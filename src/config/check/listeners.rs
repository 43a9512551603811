//! Where Larder listens: the addresses that are all alike, and the tables of listeners that differ.
//!
//! Who judges where a table does not say is not decided here.

use std::collections::BTreeMap;

use super::super::raw::Raw;
use super::super::tls::CERT;
use super::super::{AccessMode, Listen, Secured, address, value};

/// The addresses that are all alike.
const LISTEN: &str = "server.listen";

/// The listeners, as far as their own keys tell.
pub(super) struct Asked {
    /// Those of `server.listen`.
    pub(super) listen: Vec<Listen>,
    /// Those with a table of their own, by name.
    pub(super) tables: BTreeMap<String, Table>,
    /// Whether there is a certificate to be shown.
    has_certificate: bool,
}

/// The table of one listener.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) address: Listen,
    pub(super) secured: Secured,
    /// Who judges, where the table says so.
    pub(super) access: Option<AccessMode>,
}

/// One listener, and the keys that make it what it is.
pub(super) struct Place {
    pub(super) table: Table,
    /// What says where it is.
    pub(super) at: String,
    /// What says who judges.
    pub(super) by: String,
}

/// Reads `server.listen` and the tables.
pub(super) fn listeners(raw: &mut Raw) -> Asked {
    let names = raw.names("listener");
    // Whoever wrote tables said where to listen; a default beside them would be a door nobody asked for.
    let is_asked = names.is_empty() || raw.is_set(LISTEN);
    let mut asked = Asked {
        listen: if is_asked { plain(raw) } else { Vec::new() },
        tables: BTreeMap::new(),
        has_certificate: raw.is_set(CERT),
    };
    for name in names {
        if let Some(table) = table(raw, &name, asked.has_certificate) {
            let key = format!("listener.{name}.address");
            if let Some(other) = asked.places().find(|place| place.is_at(&table.address)) {
                let message = format!("{} is in {} too", table.address, other.at);
                raw.mistake(&key, message);
            }
            asked.tables.insert(name, table);
        }
    }
    asked
}

fn plain(raw: &mut Raw) -> Vec<Listen> {
    let Some(listeners) = raw.take(LISTEN, |value| value::list(value, address::listen)) else {
        return Vec::new();
    };
    if listeners.is_empty() {
        raw.mistake(LISTEN, "names no address");
    }
    for (index, one) in listeners.iter().enumerate() {
        let before = listeners.iter().take(index);
        if before.into_iter().any(|other| collide(one, other)) {
            raw.mistake(LISTEN, format!("names {one} twice"));
        }
    }
    listeners
}

/// Reads one table: every field, whatever is wrong with the others.
fn table(raw: &mut Raw, name: &str, has_certificate: bool) -> Option<Table> {
    let key = |field: &str| format!("listener.{name}.{field}");
    let modes = AccessMode::ALL.map(|mode| (mode.as_str(), mode));
    let address = raw.take(&key("address"), |value| {
        address::listen(value::text(value)?)
    });
    let tls = raw.take(&key("tls"), value::switch);
    let access = raw.take(&key("access"), |value| value::choice(value, &modes));
    if !raw.has(&key("address")) {
        let table = format!("listener.{name}");
        raw.mistake(&table, "needs an address: HOST:PORT or unix:PATH");
    }
    if tls == Some(true) && !has_certificate {
        let message = "there is no certificate to show: set server.tls.cert and server.tls.key";
        raw.mistake(&key("tls"), message);
    }
    let address = address?;
    let secured = match tls {
        Some(true) => Secured::Always,
        Some(false) => Secured::Never,
        None => Secured::unsaid(&address, has_certificate),
    };
    Some(Table {
        address,
        secured,
        access,
    })
}

/// Whether two listeners cannot both be had; any number of ports may be left to the system.
pub(super) fn collide(one: &Listen, other: &Listen) -> bool {
    one == other && !matches!(one, Listen::Tcp { port: 0, .. })
}

// === impl Asked ===

impl Asked {
    /// Every listener, and what makes it so.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let plain = self.listen.iter().map(|address| Place {
            table: Table {
                address: address.clone(),
                secured: Secured::unsaid(address, self.has_certificate),
                access: None,
            },
            at: LISTEN.to_owned(),
            by: "access.mode".to_owned(),
        });
        plain.chain(self.tables.iter().map(Place::named))
    }

    /// Whether any of them speaks TLS.
    pub(super) fn is_secured(&self) -> bool {
        self.places()
            .any(|place| place.table.secured != Secured::Never)
    }
}

// === impl Place ===

impl Place {
    fn named((name, table): (&String, &Table)) -> Self {
        let by = match table.access {
            Some(_) => format!("listener.{name}.access"),
            None => "access.mode".to_owned(),
        };
        Self {
            table: table.clone(),
            at: format!("listener.{name}.address"),
            by,
        }
    }

    /// Whether it speaks in clear text with everybody.
    pub(super) fn is_clear(&self) -> bool {
        self.table.secured == Secured::Never
    }

    /// Whether nobody else can listen at `address`.
    pub(super) fn is_at(&self, address: &Listen) -> bool {
        collide(&self.table.address, address)
    }
}
