//! What is spoken on a connection, and what its frames are worth: neither depends on how the bytes came.

#![no_main]

use larder::server::{Meter, Version, version};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Builder;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fuzz_target!(|data: &[u8]| {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let spoken = match bytes.len() {
        _ if bytes.starts_with(PREFACE) => Some(Version::Http2),
        _ if PREFACE.starts_with(bytes) => None,
        _ => Some(Version::Http1),
    };
    assert_eq!(version(bytes), spoken);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // Time makes up for frames: here none passes.
    let _standing_still = runtime.enter();
    // Many times the same, so that a flood is one.
    let flood = bytes.repeat(1 + 20_000 / bytes.len().max(1));
    for with_preface in [false, true] {
        let whole = Meter::new(with_preface).read(&flood);
        let mut meter = Meter::new(with_preface);
        let pieces = flood.chunks(usize::from(*cut) + 1);
        let cut = pieces.map(|piece| meter.read(piece)).find(Result::is_err);
        assert_eq!(whole.is_err(), cut.is_some());
        // A frame is nine bytes at least, and so many may come at any time.
        assert!(whole.is_ok() || flood.len() > 9 * 2048);
    }
});
