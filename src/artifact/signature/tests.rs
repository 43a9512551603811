//! Tags made elsewhere, by Python's `hmac`: what they fit, and that nothing else does.

use http::HeaderMap;
use http::header::HeaderValue;

use super::*;
use crate::artifact::{ArtifactHash, OriginId, Scope};
use crate::caller::CallerDigest;

const KEY: &[u8] = b"a signature key of more than thirty-two bytes";
const HASH: &str = "140a7f78c2a46f3e";
const TEAM: &str = "slug=acme&teamId=team_q1w2e3";
const BODY: &[u8] = b"not quite an archive";

/// One body of one team under each scheme, the oldest first.
struct Signed {
    query: &'static str,
    body: Vec<u8>,
    tags: [&'static str; 3],
}

fn signed() -> Vec<Signed> {
    let mebibyte = (0..=255).cycle().take(1 << 20).collect();
    let cases = [
        (
            TEAM,
            BODY.to_vec(),
            [
                "BtwMonW09NlDeshC2QWXacpMtC3fjyN0LDL9UP9vinU=",
                "9ULHCs2iUgwbqRKiqBIJWqKjaDqaACS69+6ZRpZCsLc=",
                "qzJnZSdJe8blV/VjMx0t0Mci8twMbmwKCHnkP+FJnrg=",
            ],
        ),
        (
            "slug=acme",
            BODY.to_vec(),
            [
                "Oiu209btmq2bfX2cNeLJziUl95OI9Tjs0tvKz6G4SSI=",
                "R33t9xOO0Of3hfSEqdGaGYDCrT6P0+awEuIYtbji0CI=",
                "OaKRaJC/Sd0S8nHzLDE0oBjbcBRqV8X6W2I+iFLtN2E=",
            ],
        ),
        (
            TEAM,
            Vec::new(),
            [
                "SM+vqNzcNmCZhLu4GsguvzCE9RBMLwHVe8GH9RSkx1I=",
                "RUN8ebt+R/5kDNemjb+sW+2JMJANs5o2kPoeWejGL+4=",
                "G4V1tuX6bkOzGBmKMGuCHOjfCDINX8vQEmOR6Em0KiI=",
            ],
        ),
        (
            "teamId=team_a+b%2Bc%26%C3%BC&slug=acme",
            BODY.to_vec(),
            [
                "jYC6gXVSenbc3e+iJwCk2lT1eH2WPIZlmmjOl2R8gKc=",
                "QU/EBgttbhcLEkDVWh7DiKnbJkEg4o3BKSDsCTwav0Y=",
                "JRVxxXqfBV2xtpoE7oTz1BB5TNT+QPLMNeXWwN0gRqE=",
            ],
        ),
        (
            TEAM,
            mebibyte,
            [
                "YR/MazMPfMIcwXZbpPX+oRDB1MOk/NpFawObj6WZ8xc=",
                "DlFAkkxhciFLbFcVKqqkypQ5MEbVZaIMkVrQQDIxFGo=",
                "thEZ8HSBMuaZz44kLdU1OfpmzCUNZ1QuG6PezOWYeEg=",
            ],
        ),
    ];
    cases
        .into_iter()
        .map(|(query, body, tags)| Signed { query, body, tags })
        .collect()
}

fn artifact(query: &str, hash: &str) -> ArtifactKey {
    let scope = Scope::new(query, CallerDigest::from_bytes([1; 32]));
    let hash = ArtifactHash::parse(hash).unwrap();
    ArtifactKey::new(&OriginId::new("none"), scope, hash)
}

fn tagged(tags: &[&str]) -> Fields {
    let mut headers = HeaderMap::new();
    for tag in tags {
        headers.append("x-artifact-tag", HeaderValue::from_str(tag).unwrap());
    }
    Fields::pick(&headers)
}

fn passed(mut check: SignatureCheck, body: &[u8], piece: usize) -> SignatureVerdict {
    for piece in body.chunks(piece) {
        check.update(piece);
    }
    assert_eq!(check.seen(), body.len() as u64);
    check.verdict()
}

/// Whether the tag fits, the body being given in pieces, and again where that is asked for.
fn fits(key: &ArtifactKey, tag: &str, body: &[u8], length: Option<u64>) -> bool {
    let piece = (body.len() / 3).max(1);
    let Ok(check) = SignatureKey::new(KEY).begin(key, &tagged(&[tag]), length) else {
        return false;
    };
    match passed(check, body, piece) {
        SignatureVerdict::Fits => true,
        SignatureVerdict::Refuted => false,
        SignatureVerdict::OnceMore(check) => {
            assert_eq!(length, None, "one pass is enough where the length is known");
            match passed(check, body, piece + 1) {
                SignatureVerdict::Fits => true,
                SignatureVerdict::Refuted => false,
                SignatureVerdict::OnceMore(_) => panic!("a third pass"),
            }
        }
    }
}

#[test]
fn every_scheme_is_understood_with_and_without_a_length() {
    for Signed { query, body, tags } in signed() {
        let key = artifact(query, HASH);
        for (scheme, tag) in tags.into_iter().enumerate() {
            for length in [Some(body.len() as u64), None] {
                assert!(
                    fits(&key, tag, &body, length),
                    "{scheme} {query} {length:?}"
                );
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_body_or_a_tag_is_noticed() {
    let key = artifact(TEAM, HASH);
    for tag in signed()[0].tags {
        let mut decoded = BASE64.decode(tag.as_bytes()).unwrap();
        for bit in 0..BODY.len() * 8 {
            let mut body = BODY.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            for length in [Some(body.len() as u64), None] {
                assert!(!fits(&key, tag, &body, length), "bit {bit} of the body");
            }
        }
        for bit in 0..decoded.len() * 8 {
            decoded[bit / 8] ^= 1 << (bit % 8);
            let flipped = BASE64.encode(&decoded);
            assert!(!fits(&key, &flipped, BODY, None), "bit {bit} of the tag");
            decoded[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_tag_is_for_one_hash_one_team_one_length_and_one_key() {
    let length = Some(BODY.len() as u64);
    for tag in signed()[0].tags {
        assert!(fits(&artifact(TEAM, HASH), tag, BODY, length));
        for position in 0..HASH.len() {
            let mut hash = HASH.to_owned();
            hash.replace_range(position..=position, "x");
            let other = artifact(TEAM, &hash);
            assert!(!fits(&other, tag, BODY, length), "{other:?}");
        }
        for query in [
            "slug=acme",
            "slug=team_q1w2e3",
            "teamId=team_q1w2e4",
            "teamId=team_q1w2e",
            "teamId=",
            "",
        ] {
            assert!(!fits(&artifact(query, HASH), tag, BODY, length), "{query}");
        }
        let body = [BODY, b"\0"].concat();
        for (body, length) in [(&body[..], None), (&BODY[1..], None), (&BODY[..19], None)] {
            assert!(!fits(&artifact(TEAM, HASH), tag, body, length));
        }
        for key in [&KEY[1..], b"", b"another"] {
            let key = SignatureKey::new(key);
            let check = key.begin(&artifact(TEAM, HASH), &tagged(&[tag]), length);
            let verdict = passed(check.unwrap(), BODY, 7);
            assert!(matches!(verdict, SignatureVerdict::Refuted));
        }
    }
}

#[test]
fn a_length_that_is_not_the_bodys_does_not_fit_where_it_is_signed() {
    let newest = signed()[0].tags[2];
    let claimed = Some(BODY.len() as u64 + 1);
    assert!(!fits(&artifact(TEAM, HASH), newest, BODY, claimed));
}

#[test]
fn a_team_is_the_one_that_a_form_names_however_it_is_written() {
    let Signed { body, tags, .. } = &signed()[3];
    for query in [
        "teamId=team_a%20b%2bc%26%c3%bc",
        "slug=x&%74eam%49d=team_a+b%2Bc%26%C3%BC",
    ] {
        assert!(fits(&artifact(query, HASH), tags[2], body, None), "{query}");
    }
}

#[test]
fn what_no_key_makes_is_refused_at_the_head() {
    let good = signed()[0].tags[2];
    let begun = |query: &str, tags: &[&str]| {
        SignatureKey::new(KEY)
            .begin(&artifact(query, HASH), &tagged(tags), None)
            .map(|_| ())
            .unwrap_err()
    };
    assert_eq!(begun(TEAM, &[]), SignatureFault::Missing);
    let unpadded = good.trim_end_matches('=');
    let longer = BASE64.encode(&[0; 33]);
    let shorter = BASE64.encode(&[0; 31]);
    let url_safe = good.replace('+', "-");
    for tag in ["", "sig", " ", unpadded, &longer, &shorter, &url_safe] {
        assert_eq!(begun(TEAM, &[tag]), SignatureFault::Malformed, "{tag:?}");
    }
    assert_eq!(begun(TEAM, &[good, good]), SignatureFault::Malformed);
    let two_teams = "teamId=team_q1w2e3&teamId=team_q1w2e3";
    assert_eq!(begun(two_teams, &[good]), SignatureFault::Malformed);
}

#[test]
fn debug_prints_neither_the_key_nor_the_tag() {
    let key = SignatureKey::new(b"canary");
    let check = key.begin(&artifact(TEAM, HASH), &tagged(&[signed()[0].tags[0]]), None);
    let printed = format!("{key:?} {check:?}");
    assert!(printed.contains("***"));
    assert!(
        !printed.contains("canary") && !printed.contains("Btw"),
        "{printed}"
    );
}
