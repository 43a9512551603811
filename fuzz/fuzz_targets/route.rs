//! `Route::parse`: no target makes it panic, and what it takes for an artifact's name is one.

#![no_main]

use http::{Method, Uri};
use larder::router::Route;
use libfuzzer_sys::fuzz_target;

const METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::PUT,
    Method::POST,
    Method::OPTIONS,
    Method::DELETE,
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, target)) = data.split_first() else {
        return;
    };
    let method = &METHODS[usize::from(*choice) % METHODS.len()];
    let Ok(target) = Uri::try_from(target) else {
        return;
    };
    let route = Route::parse(method, &target);
    if let Some(hash) = route.hash() {
        let name = hash.as_str();
        assert!((1..=512).contains(&name.len()), "{name:?}");
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!(name.bytes().all(is_safe), "{name:?}");
        let is_route = ["status", "events"].iter().any(|route| name.eq_ignore_ascii_case(route));
        assert!(!is_route, "{name:?}");
    }
    // Slashes in front, and the prefix that some clients are configured with, change nothing.
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    if path.starts_with('/')
        && let Ok(again) = Uri::try_from(format!("//{path}"))
    {
        assert_eq!(Route::parse(method, &again), route, "{path:?}");
    }
});
