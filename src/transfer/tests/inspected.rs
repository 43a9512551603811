//! What is taken in where a signature key is configured: uploads and fills, and their inspection.

use std::convert::Infallible;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::StreamBody;

use super::*;
use crate::artifact::{SignatureFault, SignatureKey};
use crate::metrics::Arrival;
use crate::transfer::{
    Doubt, Fate, Filling, Flights, Head, Inspection, Inspector, LookAgain, Opening, Received,
    Source, SourceHead, fill, receive,
};

const SECRET: &[u8] = b"a signature key of more than thirty-two bytes";

/// Which scheme a tag is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// Hash, team and body, as they are.
    Middle,
    /// The body's length before the body.
    Newest,
}

/// An inspector with a key, and what it counts.
struct Office {
    inspector: Arc<Inspector>,
    metrics: Arc<Metrics>,
}

impl Office {
    fn new() -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let key = Some(SignatureKey::new(SECRET));
        let inspector = Inspector::new(key, Arc::clone(&metrics));
        Self { inspector, metrics }
    }

    fn inspection(&self, tag: &str, length: Option<u64>) -> Inspection {
        let begun = self
            .inspector
            .begin(Arrival::Put, &key(), &tagged(tag), length);
        begun.unwrap()
    }

    fn refused(&self, arrival: Arrival) -> u64 {
        self.metrics.signatures.refused(arrival).get()
    }

    /// What a fill works with; `with_key`: whether anything is inspected.
    fn filling(&self, house: &House, with_key: bool) -> Filling {
        let metrics = Arc::clone(&self.metrics);
        Filling {
            tiers: Arc::clone(&house.tiers),
            inspector: if with_key {
                Arc::clone(&self.inspector)
            } else {
                Inspector::new(None, Arc::clone(&metrics))
            },
            metrics,
            in_memory: IN_MEMORY,
            look_again: LookAgain::No,
        }
    }
}

/// The tag of a body under the key of every test here.
fn tag(scheme: Scheme, body: &[u8]) -> String {
    let signed = match scheme {
        Scheme::Middle => [b"aa", body].concat(),
        Scheme::Newest => {
            let fields: [&[u8]; 4] = [b"artifact-signature:v2", b"aa", b"", body];
            let framed = |field: &&[u8]| [&(field.len() as u64).to_le_bytes(), *field].concat();
            fields.iter().flat_map(framed).collect()
        }
    };
    let secret = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    BASE64.encode(hmac::sign(&secret, &signed).as_ref())
}

fn tagged(tag: &str) -> Fields {
    let mut headers = HeaderMap::new();
    headers.insert("x-artifact-tag", HeaderValue::from_str(tag).unwrap());
    Fields::pick(&headers)
}

fn frames(pieces: u8) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    stream::iter((0..pieces).map(|number| Ok(Frame::data(piece(number)))))
}

/// Every combination of a scheme and a length that is known or not.
fn cases(length: usize) -> impl Iterator<Item = (Scheme, Option<u64>)> {
    let lengths = [Some(length as u64), None];
    [Scheme::Middle, Scheme::Newest]
        .into_iter()
        .flat_map(move |scheme| lengths.map(|length| (scheme, length)))
}

#[tokio::test]
async fn the_last_piece_of_an_upload_waits_for_the_verdict() {
    let (house, office) = (House::with_disk(1 << 30).await, Office::new());
    for (scheme, length) in cases(3 * PIECE) {
        let (writer, spool) = house.spool(length).await;
        let mut reader = spool.reader().unwrap();
        let inspection = office.inspection(&tag(scheme, &body(3)), length);
        let unfinished = StreamBody::new(frames(3).chain(stream::pending()));
        let mut receiving = Box::pin(receive(unfinished, writer, u64::MAX, inspection, || {}));
        while reader_position(&mut reader, &mut receiving).await < 2 * PIECE {}
        assert!(matches!(poll!(&mut receiving), Poll::Pending));
        assert!(matches!(poll!(reader.frame()), Poll::Pending), "{scheme:?}");
    }
}

/// Reads the next piece while it is being received; says where that ends.
async fn reader_position(reader: &mut Reader, receiving: impl Future<Output = Received>) -> usize {
    let read = reader.frame();
    tokio::select! {
        frame = read => {
            let piece = frame.unwrap().unwrap().into_data().unwrap();
            (usize::from(piece[0]) + 1) * PIECE
        }
        _ = receiving => panic!("it does not end"),
    }
}

#[tokio::test]
async fn a_signed_upload_comes_whole_through_memory_and_through_a_file() {
    let (house, office) = (House::with_disk(1 << 30).await, Office::new());
    for pieces in [0, 1, 40] {
        let sent = body(pieces);
        for (scheme, length) in cases(sent.len()) {
            let (writer, spool) = house.spool(length).await;
            let reader = spool.reader().unwrap();
            let inspection = office.inspection(&tag(scheme, &sent), length);
            let arriving = StreamBody::new(frames(pieces));
            let received = receive(arriving, writer, sent.len() as u64, inspection, || {}).await;
            let Received::Whole(whole) = received else {
                panic!("{scheme:?} {length:?} {received:?}")
            };
            assert_eq!(whole.size, sent.len() as u64);
            assert!(rest_of(reader).await.unwrap() == sent);
        }
    }
    assert_eq!(office.refused(Arrival::Put), 0);
}

#[tokio::test]
async fn an_upload_whose_tag_does_not_fit_is_broken_before_its_end() {
    let (house, office) = (House::with_disk(1 << 30).await, Office::new());
    let mut refused = 0;
    for pieces in [1, 40] {
        let sent = body(pieces);
        let others = [&sent[1..], b"another"].concat();
        for (scheme, length) in cases(sent.len()) {
            let (writer, spool) = house.spool(length).await;
            let reader = spool.reader().unwrap();
            let inspection = office.inspection(&tag(scheme, &others), length);
            let received = receive(
                StreamBody::new(frames(pieces)),
                writer,
                u64::MAX,
                inspection,
                || {},
            )
            .await;
            let mismatch = Doubt::Signature(SignatureFault::Mismatch);
            assert!(
                matches!(received, Received::Doubtful(doubt) if doubt == mismatch),
                "{scheme:?} {length:?}: {received:?}"
            );
            assert_eq!(rest_of(reader).await, Err(Broken::Source));
            refused += 1;
            assert_eq!(office.refused(Arrival::Put), refused);
        }
    }
}

#[tokio::test]
async fn what_waits_counts_for_the_limit() {
    let (house, office) = (House::with_disk(1 << 30).await, Office::new());
    let (writer, _spool) = house.spool(None).await;
    let inspection = office.inspection(&tag(Scheme::Middle, &body(3)), None);
    let limit = 3 * PIECE as u64 - 1;
    let received = receive(StreamBody::new(frames(3)), writer, limit, inspection, || {}).await;
    assert!(matches!(received, Received::TooLarge), "{received:?}");
}

#[tokio::test]
async fn a_window_is_inspected_where_its_scheme_can_be_and_refused_where_not() {
    let (house, office) = (House::with_disk(0).await, Office::new());
    for (scheme, length) in cases(20 * PIECE) {
        let (writer, spool) = house.spool(length).await;
        let reader = spool.reader().unwrap();
        let inspection = office.inspection(&tag(scheme, &body(20)), length);
        let receiving = receive(
            StreamBody::new(frames(20)),
            writer,
            u64::MAX,
            inspection,
            || {},
        );
        let (received, read) = tokio::join!(receiving, rest_of(reader));
        if (scheme, length) == (Scheme::Newest, None) {
            let unreadable = matches!(received, Received::Doubtful(Doubt::Unreadable));
            assert!(unreadable, "{received:?}");
            assert_eq!(read, Err(Broken::Source));
        } else {
            assert!(matches!(received, Received::Whole(_)), "{received:?}");
            assert!(read.unwrap() == body(20));
        }
    }
    assert_eq!(office.refused(Arrival::Put), 0);
}

#[tokio::test]
async fn an_empty_upload_is_decided_about_by_its_head() {
    let office = Office::new();
    for scheme in [Scheme::Middle, Scheme::Newest] {
        let begin = |tag: &str| {
            let fields = tagged(tag);
            let inspector = &office.inspector;
            inspector.begin(Arrival::Put, &key(), &fields, Some(0))
        };
        assert!(!begin(&tag(scheme, b"")).unwrap().is_pending());
        let refused = begin(&tag(scheme, b"x")).unwrap_err();
        assert_eq!(refused, SignatureFault::Mismatch);
    }
    assert_eq!(office.refused(Arrival::Put), 2);
}

/// Fills the key with `body` under `fields`, and gives what whoever follows is told.
async fn filled(
    filling: Filling,
    fields: Fields,
    length: Option<u64>,
    body: impl Body<Data = Bytes, Error = Infallible> + Send,
) -> Opening {
    let (lead, follower) = Arc::new(Flights::default()).alone(key().digest, caller());
    let head = SourceHead {
        label: Label::new(&key(), fields),
        length,
        cache_status: Vec::new(),
        bypass: None,
        trace: None,
    };
    let fetch = async { Source::Found(head, body) };
    fill(filling, lead, key(), fetch).await;
    match follower.head().await {
        Head::Open(opening) => opening,
        other => panic!("{other:?}"),
    }
}

fn caller() -> CallerDigest {
    CallerDigest::from_bytes([1; 32])
}

#[tokio::test]
async fn a_fill_rests_if_its_tag_fits_and_is_read_by_everybody_either_way() {
    for pieces in [1, 40] {
        let sent = body(pieces);
        for (scheme, length) in cases(sent.len()) {
            for (signed, refused) in [(&sent[..], 0), (&sent[1..], 1)] {
                let (house, office) = (House::with_disk(1 << 30).await, Office::new());
                let fields = tagged(&tag(scheme, signed));
                let arriving = StreamBody::new(frames(pieces));
                let filling = office.filling(&house, true);
                let opening = filled(filling, fields, length, arriving).await;
                let resting = house.resting(&key().digest).await;
                let expected = (refused == 0).then_some(sent.len() as u64);
                assert_eq!(resting, expected, "{scheme:?} {length:?}");
                assert_eq!(office.refused(Arrival::Fill), refused);
                assert_eq!(opening.fate, Fate::Inspected);
                assert!(rest_of(opening.reader().unwrap()).await.unwrap() == sent);
                assert!(rest_of(opening.reader().unwrap()).await.unwrap() == sent);
            }
        }
    }
}

#[tokio::test]
async fn a_fill_that_is_inspected_is_no_hit_before_it_rests() {
    let (house, office) = (House::with_disk(1 << 30).await, Office::new());
    for with_key in [true, false] {
        let fields = tagged(&tag(Scheme::Middle, &body(1)));
        let filling = office.filling(&house, with_key);
        let opening = filled(filling, fields, None, StreamBody::new(frames(1))).await;
        assert_eq!(opening.is_about_to_rest(), !with_key);
    }
}

#[tokio::test]
async fn a_fill_that_is_not_signed_is_a_bypass_from_its_head() {
    let (house, office) = (House::with_disk(1 << 30).await, Office::new());
    for fields in [Fields::default(), tagged("sig")] {
        let filling = office.filling(&house, true);
        let opening = filled(filling, fields, None, StreamBody::new(frames(2))).await;
        assert_eq!(opening.fate, Fate::Bypassed(Bypass::InvalidSignature));
        assert!(rest_of(opening.reader().unwrap()).await.unwrap() == body(2));
        assert_eq!(house.resting(&key().digest).await, None);
    }
    assert_eq!(office.refused(Arrival::Fill), 2);
}
