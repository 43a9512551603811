//! What the dashboard is sent as; how it looks and works is seen in a browser (`tests/browser`).

use std::collections::HashSet;

use http_body_util::BodyExt;

use super::*;

/// Everything between `before` and the next quote.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let found = text.split(before).skip(1);
    found.filter_map(|rest| rest.split('"').next()).collect()
}

fn text(piece: &Piece) -> &str {
    std::str::from_utf8(&piece.body).unwrap()
}

fn asked_with(tags: &str) -> HeaderMap {
    HeaderMap::from_iter([(IF_NONE_MATCH, tags.parse().unwrap())])
}

fn header(answer: &Answer, name: HeaderName) -> &str {
    answer.headers()[name].to_str().unwrap()
}

#[test]
fn every_piece_allows_nothing_but_its_own_files_and_no_frame() {
    assert_eq!(PIECES.len(), SOURCES.len() + 2);
    for piece in PIECES.iter() {
        let answer = piece.answer(&HeaderMap::new());
        assert_eq!(answer.status(), StatusCode::OK);
        let policy = header(&answer, CONTENT_SECURITY_POLICY);
        let mut rules: Vec<_> = policy.split("; ").collect();
        rules.sort_unstable();
        assert_eq!(
            rules,
            [
                "base-uri 'none'",
                "connect-src 'self'",
                "default-src 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "img-src 'self' data:",
                "script-src 'self'",
                "style-src 'self'",
            ],
            "{}",
            piece.path
        );
        assert_eq!(header(&answer, X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header(&answer, REFERRER_POLICY), "no-referrer");
    }
}

#[test]
fn an_asset_is_named_by_its_digest_and_kept() {
    for piece in PIECES.iter().filter(|piece| piece.path != "/") {
        let digest = digest(text(piece));
        assert!(
            piece.path.contains(&format!(".{digest}.")),
            "{}",
            piece.path
        );
        let answer = piece.answer(&HeaderMap::new());
        let keeping = header(&answer, CACHE_CONTROL);
        assert_eq!(keeping, "private, max-age=31536000, immutable");
        let is_script = piece.path.rsplit('.').next() == Some("js");
        let expected = if is_script {
            "text/javascript; charset=utf-8"
        } else {
            "text/css; charset=utf-8"
        };
        assert_eq!(header(&answer, CONTENT_TYPE), expected, "{}", piece.path);
    }
    let paths: HashSet<_> = PIECES.iter().map(|piece| &piece.path).collect();
    assert_eq!(paths.len(), PIECES.len());
}

#[test]
fn everything_that_the_page_names_is_there_and_nothing_else() {
    let assets = quoted(text(find("/").unwrap()), "\"./assets/");
    let named: HashSet<_> = assets
        .iter()
        .map(|asset| format!("/assets/{asset}"))
        .collect();
    let others = PIECES.iter().filter(|piece| piece.path != "/");
    assert_eq!(named, others.map(|piece| piece.path.clone()).collect());
}

/// What a line of a module makes for others, or for itself: a constant, a function, a class.
fn made(line: &str) -> Option<&str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let kinds = ["const ", "let ", "function ", "class "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    rest.split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .find(|name| !name.is_empty())
}

#[test]
fn the_modules_share_a_scope_in_which_each_name_is_made_once_and_before_it_is_imported() {
    let mut known = HashSet::new();
    for module in MODULES {
        assert!(module.starts_with("//! "), "{module}");
        for line in module.lines().filter(|line| line.starts_with("import ")) {
            let (names, _) = line["import { ".len()..]
                .split_once(" } from \"./")
                .unwrap();
            for name in names.split(", ") {
                assert!(known.contains(name), "{line}");
            }
        }
        for name in module.lines().filter_map(made) {
            assert!(known.insert(name), "{name} is made twice");
        }
    }
    assert!(known.contains("showStats"));
}

#[test]
fn a_module_is_joined_without_what_only_modules_have() {
    let modules = ["export const a = 1;", "import { a } from \"./a.js\";\na();"];
    let joined = "\"use strict\";\n(() => {\nconst a = 1;\na();\n})();\n";
    assert_eq!(join(&modules), joined);
    let script = join(&MODULES);
    let is_module = |line: &str| line.starts_with("import") || line.starts_with("export");
    assert!(!script.lines().any(is_module));
}

#[test]
fn the_page_names_no_other_server_and_has_nothing_that_its_policy_forbids() {
    let page = text(find("/").unwrap());
    for forbidden in [" style=\"", " onclick=", "<style", "<script>", "src=\"http"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let links = ["href=\"", "src=\""]
        .map(|name| quoted(page, name))
        .concat();
    let is_own =
        |link: &&str| link.starts_with("./") || link.starts_with('#') || link.starts_with("data:");
    assert_eq!(
        links
            .iter()
            .filter(|link| !is_own(link))
            .collect::<Vec<_>>(),
        Vec::<&&str>::new()
    );
}

#[tokio::test]
async fn the_page_is_asked_for_again_and_not_sent_again() {
    let page = find("/").unwrap();
    let answer = page.answer(&HeaderMap::new());
    assert_eq!(header(&answer, CACHE_CONTROL), "private, no-cache");
    assert_eq!(header(&answer, CONTENT_TYPE), "text/html; charset=utf-8");
    let tag = header(&answer, ETAG).to_owned();
    assert_eq!(tag, format!("\"{}\"", digest(text(page))));

    for same in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let answer = page.answer(&asked_with(&same));
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{same}");
        assert_eq!(header(&answer, ETAG), tag);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "");
    }
    for other in ["\"x\"", "", tag.trim_matches('"')] {
        let answer = page.answer(&asked_with(other));
        assert_eq!(answer.status(), StatusCode::OK, "{other}");
    }
}

#[test]
fn nothing_that_comes_from_outside_is_read_as_markup_or_as_a_script() {
    let ways = [
        "HTML",
        "document.write",
        "eval",
        "new Function",
        "srcdoc",
        "DOMParser",
    ];
    for module in MODULES {
        for way in ways {
            assert!(
                !module.contains(way),
                "{way} in {:?}",
                module.lines().next()
            );
        }
    }
}

#[test]
fn another_text_has_another_digest() {
    assert_ne!(digest("a"), digest("b"));
    assert_eq!(digest("a").len(), 2 * DIGEST_BYTES);
}

#[test]
fn other_paths_are_no_part_of_it() {
    for path in [
        "",
        "/index.html",
        "/assets",
        "/assets/",
        "/assets/dashboard.js",
        "//",
    ] {
        assert!(find(path).is_none(), "{path}");
    }
}
