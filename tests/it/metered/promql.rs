//! What a text asks of metrics: the names in it; its grammar is promtool's.

/// A metric, and what is asked of its labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector<'a> {
    pub(super) name: &'a str,
    pub(super) matchers: Vec<Matcher<'a>>,
}

/// One condition in braces.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matcher<'a> {
    pub(super) label: &'a str,
    pub(super) operator: &'a str,
    pub(super) value: &'a str,
}

/// Before a list of labels in parentheses.
const LISTING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// Every metric of Larder or its process that a text names.
pub(super) fn selectors(text: &str) -> Vec<Selector<'_>> {
    let named = words(text).filter(|(_, word)| {
        (word.starts_with("larder_") || word.starts_with("process_")) && !word.ends_with('_')
    });
    named
        .map(|(end, name)| Selector {
            name,
            matchers: matchers(&text[end..]),
        })
        .collect()
}

/// The labels that results are put together or held against each other by.
pub(super) fn grouping(text: &str) -> Vec<&str> {
    let lists = words(text).filter(|(_, word)| LISTING.contains(word));
    let inside = lists.filter_map(|(end, _)| text[end..].trim_start().strip_prefix('('));
    let names = inside.flat_map(|list| list.split(')').next().unwrap_or_default().split(','));
    names
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

/// Every word, with where it ends.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let pieces = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    pieces.filter(|piece| !piece.is_empty()).map(move |piece| {
        let start = piece.as_ptr().addr() - text.as_ptr().addr();
        (start + piece.len(), piece)
    })
}

fn matchers(rest: &str) -> Vec<Matcher<'_>> {
    let Some(inside) = rest.strip_prefix('{') else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut rest = inside;
    while !rest.trim_start().starts_with('}') {
        let (label, behind) = rest.split_once(['=', '!']).expect("a condition");
        let operator = &rest[label.len()..rest.len() - behind.trim_start_matches(['=', '~']).len()];
        let quoted = behind.trim_start_matches(['=', '~']).strip_prefix('"');
        let (value, next) = quoted
            .and_then(|value| value.split_once('"'))
            .expect("a value");
        let label = label.trim();
        found.push(Matcher {
            label,
            operator,
            value,
        });
        rest = next.trim_start_matches([',', ' ']);
    }
    found
}

#[test]
fn names_and_conditions_are_read() {
    let text =
        r#"sum by (le, job) (rate(larder_a_total{x="1", y!~"a|b.*"}[5m])) / on (job) process_b"#;
    let condition = |label, operator, value| Matcher {
        label,
        operator,
        value,
    };
    let expected = [
        Selector {
            name: "larder_a_total",
            matchers: vec![condition("x", "=", "1"), condition("y", "!~", "a|b.*")],
        },
        Selector {
            name: "process_b",
            matchers: vec![],
        },
    ];
    assert_eq!(selectors(text), expected);
    assert_eq!(grouping(text), ["le", "job", "job"]);
}
