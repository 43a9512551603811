//! Keys against a model that says in other words which requests are the same.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

use super::{ArtifactHash, ArtifactKey, OriginId, Scope, named_teams};
use crate::caller::CallerDigest;

/// Enough for every kind of near miss to meet every kind of query.
const PAIRS: u32 = 4096;

/// A request as it comes: the query in its parts, so that one of them can be touched.
#[derive(Clone, Debug)]
struct Raw {
    origin: String,
    parts: Vec<String>,
    caller: u8,
    /// As written in the path, and the name that stands for.
    hash: (&'static str, &'static str),
}

/// What makes two requests the same: nothing decoded, nothing left out, and only the order of parts
/// with different names given away.
#[derive(Debug, PartialEq, Eq)]
struct Canonical {
    origin: String,
    parts: BTreeMap<String, Vec<String>>,
    caller: Option<u8>,
    hash: &'static str,
}

/// How the second request of a pair comes from the first.
#[derive(Clone, Debug)]
enum Touch {
    Nothing,
    Swap(Index, Index),
    Repeat(Index),
    Drop(Index),
    Encode(Index),
    /// `&&`
    Gap(Index),
    /// Everything in order of names, as a Go client has it.
    Sort,
    Caller(u8),
    Hash((&'static str, &'static str)),
    Origin(&'static str),
    /// The same bytes in one row, and another end of the origin.
    SlideToOrigin,
    /// The same, and another beginning of the hash.
    SlideFromHash,
    /// Another request altogether.
    Anew(Raw),
}

// === impl Raw ===

impl Raw {
    fn query(&self) -> String {
        self.parts.join("&")
    }

    fn scope(&self) -> Scope {
        Scope::new(&self.query(), CallerDigest::from_bytes([self.caller; 32]))
    }

    fn key(&self) -> ArtifactKey {
        let hash = ArtifactHash::parse(self.hash.0).unwrap();
        ArtifactKey::new(&OriginId::new(&*self.origin), self.scope(), hash)
    }

    fn canonical(&self) -> Canonical {
        let mut parts = BTreeMap::<String, Vec<String>>::new();
        for part in self.parts.iter().filter(|part| !part.is_empty()) {
            let name = part.split('=').next().unwrap_or_default();
            let same = parts.entry(name.to_owned()).or_default();
            same.push(part.clone());
        }
        let names = |name: &str| {
            let all = parts.get(name).into_iter().flatten();
            all.clone().any(|part| part.len() > name.len() + 1)
        };
        let is_personal = !names("teamId") && !names("slug");
        Canonical {
            origin: self.origin.clone(),
            caller: is_personal.then_some(self.caller),
            hash: self.hash.1,
            parts,
        }
    }

    fn touched(mut self, touch: Touch) -> Self {
        let count = self.parts.len();
        match touch {
            Touch::Nothing => {}
            Touch::Sort => self.parts.sort_by_key(|part| name_of(part)),
            Touch::Caller(caller) => self.caller = caller,
            Touch::Hash(hash) => self.hash = hash,
            Touch::Origin(origin) => origin.clone_into(&mut self.origin),
            Touch::Anew(other) => self = other,
            Touch::Gap(at) => self.parts.insert(at.index(count + 1), String::new()),
            Touch::SlideToOrigin => {
                self.origin += &self.query();
                self.parts.clear();
            }
            // The others need a part to touch.
            _ if count == 0 => {}
            Touch::SlideFromHash => {
                self.hash = ("1", "1");
                self.parts.sort_by_key(|part| name_of(part));
                self.parts[count - 1].push('a');
            }
            Touch::Swap(one, other) => self.parts.swap(one.index(count), other.index(count)),
            Touch::Repeat(at) => {
                let part = self.parts[at.index(count)].clone();
                self.parts.push(part);
            }
            Touch::Drop(at) => drop(self.parts.remove(at.index(count))),
            Touch::Encode(at) => {
                let part = &mut self.parts[at.index(count)];
                *part = encoded(part);
            }
        }
        self
    }
}

fn name_of(part: &str) -> String {
    part.split('=').next().unwrap_or_default().to_owned()
}

/// The same text to whoever decodes it.
fn encoded(part: &str) -> String {
    let last = part.bytes().last().filter(u8::is_ascii_alphanumeric);
    last.map_or_else(
        || part.to_owned(),
        |last| format!("{}%{last:02X}", &part[..part.len() - 1]),
    )
}

fn part() -> impl Strategy<Value = String> {
    let name = select(vec![
        "teamId", "teamId", "slug", "slug", "team", "Slug", "x", "%73lug", "",
    ]);
    let value = select(vec![
        "", "=", "=a", "=b", "=a", "=a=b", "==", "=%61", "=a+b", "=a%20b", "=%26", "=%C3%BC",
    ]);
    (name, value).prop_map(|(name, value)| format!("{name}{value}"))
}

fn caller() -> impl Strategy<Value = u8> {
    0..3_u8
}

fn hash() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![("a1", "a1"), ("%611", "a1"), ("A1", "A1"), ("a", "a")])
}

fn origin() -> impl Strategy<Value = &'static str> {
    select(vec!["none", "https://one", "https://one/api"])
}

fn raw() -> impl Strategy<Value = Raw> {
    let parts = prop::collection::vec(part(), 0..5);
    (origin(), parts, caller(), hash()).prop_map(|(origin, parts, caller, hash)| Raw {
        origin: origin.to_owned(),
        parts,
        caller,
        hash,
    })
}

fn touch() -> impl Strategy<Value = Touch> {
    let at = any::<Index>;
    prop_oneof![
        Just(Touch::Nothing),
        Just(Touch::Sort),
        (at(), at()).prop_map(|(one, other)| Touch::Swap(one, other)),
        at().prop_map(Touch::Repeat),
        at().prop_map(Touch::Drop),
        at().prop_map(Touch::Encode),
        at().prop_map(Touch::Gap),
        caller().prop_map(Touch::Caller),
        hash().prop_map(Touch::Hash),
        origin().prop_map(Touch::Origin),
        Just(Touch::SlideToOrigin),
        Just(Touch::SlideFromHash),
        raw().prop_map(Touch::Anew),
    ]
}

#[test]
fn keys_are_equal_where_the_canonical_requests_are_and_nowhere_else() {
    let (same, different) = (Cell::new(0), Cell::new(0));
    let config = Config {
        source_file: Some(file!()),
        ..Config::with_cases(Config::default().cases.max(PAIRS))
    };
    let pairs = (raw(), touch());
    let checked = TestRunner::new(config).run(&pairs, |(one, touch)| {
        let other = one.clone().touched(touch);
        let (model, other_model) = (one.canonical(), other.canonical());
        let (key, other_key) = (one.key(), other.key());
        let is_same = model == other_model;
        prop_assert_eq!(key.digest == other_key.digest, is_same);
        let is_same_scope = (model.parts, model.caller) == (other_model.parts, other_model.caller);
        prop_assert_eq!(
            key.scope.digest() == other_key.scope.digest(),
            is_same_scope
        );
        let count = if is_same { &same } else { &different };
        count.set(count.get() + 1);
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
    for (what, count) in [("the same", same), ("different", different)] {
        assert!(count.get() > PAIRS / 8, "{} pairs were {what}", count.get());
    }
}

proptest! {
    #[test]
    fn any_text_makes_a_scope_and_a_key(query in "\\PC{0,60}|[a-zA-Z&=%;+]{0,60}", text in "\\PC{0,40}", caller in caller()) {
        let caller = CallerDigest::from_bytes([caller; 32]);
        let scope = Scope::new(&query, caller);
        prop_assert_eq!(scope.is_personal(), named_teams(&query).next().is_none());
        prop_assert_eq!(scope.team().is_none(), scope.is_personal());
        let shown = format!("{scope:?}");
        prop_assert!(shown.starts_with("Scope"));
        if let Ok(hash) = ArtifactHash::parse(&text) {
            let key = ArtifactKey::new(&OriginId::new(query), scope, hash);
            prop_assert_eq!(format!("{:?}", key.digest).len(), 64);
        }
    }
}
