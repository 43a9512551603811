//! The packages of the monorepos, and how `npm` would write them down.

/// Name, packages it depends on, bytes of its largest output.
pub(crate) type Package = (&'static str, &'static [&'static str], usize);

/// What most tests build.
pub(crate) const FIVE: [Package; 5] = [
    ("core", &[], 2_000),
    // Random bytes do not shrink: this artifact is larger than what the memory tier admits.
    ("icons", &[], 3 << 20),
    ("ui", &["core", "icons"], 200_000),
    ("docs", &["ui"], 20_000),
    ("web", &["core", "ui"], 500_000),
];

const GROUND: &[&str] = &["a1", "a2", "a3", "a4"];
const MIDDLE: &[&str] = &["b1", "b2", "b3", "b4"];

/// Three layers of four: what several failures at once do to what is asked for afterwards shows here.
pub(crate) const LAYERS: [Package; 12] = [
    ("a1", &[], 2_000),
    ("a2", &[], 2_000),
    ("a3", &[], 2_000),
    ("a4", &[], 2_000),
    ("b1", GROUND, 2_000),
    ("b2", GROUND, 2_000),
    ("b3", GROUND, 2_000),
    ("b4", GROUND, 2_000),
    ("c1", MIDDLE, 2_000),
    ("c2", MIDDLE, 2_000),
    ("c3", MIDDLE, 2_000),
    ("c4", MIDDLE, 2_000),
];

/// What `npm install` would have written.
pub(crate) fn lock_file(packages: &[Package]) -> String {
    let packages: Vec<_> = packages
        .iter()
        .map(|(name, needs, _)| {
            let needs = dependencies(needs);
            format!(
                r#",
    "node_modules/{name}": {{ "resolved": "packages/{name}", "link": true }},
    "packages/{name}": {{ "version": "1.0.0", "dependencies": {{{needs}}} }}"#
            )
        })
        .collect();
    let packages = packages.concat();
    format!(
        r#"{{ "name": "monorepo", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
  "packages": {{
    "": {{ "name": "monorepo", "version": "1.0.0", "workspaces": ["packages/*"] }}{packages}
  }} }}"#
    )
}

/// A package's dependencies, as JSON without its braces.
pub(crate) fn dependencies(needs: &[&str]) -> String {
    let needs: Vec<_> = needs
        .iter()
        .map(|name| format!(r#""{name}": "*""#))
        .collect();
    needs.join(", ")
}
