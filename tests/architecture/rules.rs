//! The rules: who may import whom, and what may be named where.

use crate::source::{Source, begins};

/// Which top-level module may import which. A row may name only rows above it, so no import can
/// close a cycle; every module may import itself.
const IMPORTS: [(&str, Allowed); 23] = [
    ("caller", Only(&[])),
    ("certificate", Only(&[])),
    ("mapped", Only(&[])),
    ("seldom", Only(&[])),
    ("tasks", Only(&[])),
    ("outlet", Only(&["mapped"])),
    ("artifact", Only(&["caller"])),
    ("metrics", Only(&["artifact"])),
    ("config", Only(&["artifact", "caller", "certificate"])),
    ("telemetry", Only(&["artifact", "config", "metrics"])),
    ("recent", Only(&["artifact", "telemetry"])),
    ("traces", Only(&["config", "metrics", "seldom", "tasks"])),
    (
        "tiers",
        Only(&[
            "artifact", "caller", "config", "mapped", "metrics", "outlet", "tasks",
        ]),
    ),
    (
        "upstream",
        Only(&[
            "artifact", "caller", "config", "metrics", "seldom", "tasks", "traces",
        ]),
    ),
    (
        "transfer",
        Only(&[
            "artifact", "caller", "config", "metrics", "seldom", "tasks", "tiers", "traces",
        ]),
    ),
    (
        "access",
        Only(&[
            "artifact",
            "caller",
            "certificate",
            "config",
            "metrics",
            "seldom",
            "tasks",
            "upstream",
        ]),
    ),
    (
        "proxy",
        Only(&[
            "access",
            "artifact",
            "caller",
            "certificate",
            "config",
            "metrics",
            "outlet",
            "tasks",
            "tiers",
            "traces",
            "transfer",
            "upstream",
        ]),
    ),
    // The server is given a function, never a meaning.
    (
        "server",
        Only(&[
            "artifact",
            "caller",
            "certificate",
            "config",
            "metrics",
            "outlet",
            "seldom",
            "tasks",
        ]),
    ),
    // It answers what the server accepts, and so knows the server's contract.
    (
        "router",
        Only(&[
            "artifact",
            "caller",
            "certificate",
            "metrics",
            "outlet",
            "proxy",
            "recent",
            "server",
            "telemetry",
            "traces",
        ]),
    ),
    // The admin listener is served like any other.
    (
        "admin",
        Only(&[
            "artifact", "caller", "config", "metrics", "outlet", "recent", "server", "tasks",
            "tiers", "transfer", "upstream",
        ]),
    ),
    ("app", AllAbove),
    ("cli", AllAbove),
    ("main", AllAbove),
];

/// What may be named in some places only.
const CONFINED: [Confined; 5] = [
    Confined {
        what: "StatusCode",
        named: |path| path.iter().any(|part| part == "StatusCode"),
        only: &["router", "admin", "upstream"],
    },
    Confined {
        what: "std::env",
        named: |path| begins(path, &["std", "env"]),
        only: &["config", "main"],
    },
    Confined {
        what: "a file call",
        named: calls_files,
        only: &[
            "tiers/disk",
            "transfer/spool",
            "config",
            "server",
            "cli",
            "app",
            // What the system says of this process, under /proc.
            "admin/process",
        ],
    },
    Confined {
        what: "prometheus",
        named: |path| path.len() > 1 && begins(path, &["prometheus"]),
        only: &["metrics", "admin"],
    },
    Confined {
        what: "a spawned task",
        named: |path| {
            begins(path, &["tokio", "spawn"])
                || begins(path, &["tokio", "task", "spawn"])
                || begins(path, &["task", "spawn"])
        },
        only: &["tasks"],
    },
];

/// More than this is not one thing.
const MAX_LINES: usize = 400;

/// What one module may import.
#[derive(Clone, Copy)]
enum Allowed {
    Only(&'static [&'static str]),
    AllAbove,
}

use Allowed::{AllAbove, Only};

/// A name, and the places (modules, joined by `/`) that may use it.
struct Confined {
    what: &'static str,
    named: fn(&[String]) -> bool,
    only: &'static [&'static str],
}

/// Every violation in the given files, a line each.
pub(crate) fn violations(sources: &[Source]) -> Vec<String> {
    let tests: Vec<_> = sources.iter().flat_map(|it| &it.test_modules).collect();
    let is_test = |source: &Source| tests.iter().any(|test| source.module.starts_with(test));
    let mut found = Vec::new();
    for source in sources {
        let mut here = shape(source);
        if !is_test(source) {
            here.extend(forbidden_imports(source));
            here.extend(misplaced(source));
        }
        found.extend(here.iter().map(|what| format!("{}: {what}", source.file)));
    }
    found.sort();
    found.dedup();
    found
}

/// Rows of the table that name a row below them.
pub(crate) fn rows_that_look_down() -> Vec<&'static str> {
    let rows = IMPORTS.iter().enumerate();
    rows.filter(|(index, (_, allowed))| match allowed {
        Only(names) => names.iter().any(|name| position(name) >= Some(*index)),
        AllAbove => false,
    })
    .map(|(_, (module, _))| *module)
    .collect()
}

fn position(module: &str) -> Option<usize> {
    IMPORTS.iter().position(|(name, _)| *name == module)
}

fn forbidden_imports(source: &Source) -> Vec<String> {
    let Some(own) = source.module.first() else {
        return Vec::new();
    };
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| name == own) else {
        return vec![format!("module {own} has no row in the import table")];
    };
    let may_import = |name: &String| match allowed {
        Only(names) => names.contains(&name.as_str()),
        AllAbove => position(name).is_some() && position(name) < position(own),
    };
    let imports = source.paths.iter().filter(|path| begins(path, &["crate"]));
    imports
        .filter_map(|path| path.get(1))
        .filter(|name| *name != own && !may_import(name))
        .map(|name| format!("{own} may not import {name}"))
        .collect()
}

fn misplaced(source: &Source) -> Vec<String> {
    let is_under = |place: &&str| {
        let place: Vec<_> = place.split('/').collect();
        begins(&source.module, &place)
    };
    let named = CONFINED
        .iter()
        .filter(|confined| !confined.only.iter().any(is_under))
        .filter(|confined| source.paths.iter().any(|path| (confined.named)(path)))
        .map(|confined| confined.what);
    // The lint refuses it wherever nobody makes an exception.
    let excepted = source.text.contains("unsafe_code") && !is_under(&"mapped");
    named
        .chain(excepted.then_some("unsafe"))
        .map(|what| format!("{what} has no place here"))
        .collect()
}

fn shape(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if !source.text.starts_with("//! ") {
        found.push("does not open with //!".to_owned());
    }
    if source.text.lines().count() > MAX_LINES {
        found.push(format!("is longer than {MAX_LINES} lines"));
    }
    found
}

/// Types of `std::fs` may be named anywhere; what opens, reads or removes may not.
fn calls_files(path: &[String]) -> bool {
    let module = [["std", "fs"], ["tokio", "fs"], ["rustix", "fs"]];
    let is_type = |name: &String| name.starts_with(char::is_uppercase);
    module
        .iter()
        .any(|module| begins(path, module) && !(path.len() == 3 && path.iter().any(is_type)))
        || begins(path, &["std", "os", "unix", "fs"])
        || (path.len() > 1 && (begins(path, &["File"]) || begins(path, &["OpenOptions"])))
}
