//! Goes the way to the upstream: its name, its addresses, a proxy, TLS. Says how far that leads.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::finding::{Check, Finding};
use super::greeting;
use super::line::{self, Named};
use super::report::Report;
use crate::config::Loaded;
use crate::upstream::{NoWay, Opened, Way};

/// Goes as far as the way leads; returns what TLS has agreed on for behind it, or why there is no way.
pub(super) async fn walk(
    report: &mut Report,
    way: &Way,
    loaded: &Loaded,
) -> Result<Option<String>, &'static str> {
    let Some(addresses) = find(report, way).await else {
        let why = "the name leads nowhere";
        for check in [Check::Tcp, Check::Proxy, Check::Tls] {
            report.add(check, Finding::not_tried(why), None);
        }
        return Err(why);
    };
    if !reach(report, way, &addresses).await {
        let why = "no address answers";
        for check in [Check::Proxy, Check::Tls] {
            report.add(check, Finding::not_tried(why), None);
        }
        return Err(why);
    }
    let (opened, took) = timed(way.open()).await;
    let opened = by_proxy(report, way, loaded, (opened, took));
    if !way.is_secured() {
        let is_local = way.proxy().is_none() && addresses.iter().all(|at| at.ip().is_loopback());
        report.add(Check::Tls, greeting::clear_text(is_local), None);
        return Ok(None);
    }
    let Some(opened) = opened else {
        let why = "there is no connection to the upstream";
        report.add(Check::Tls, Finding::not_tried(why), None);
        return Err(why);
    };
    let (greeted, took) = timed(way.greet(opened)).await;
    let finding = greeting::tls(&greeted, way.authorities(), SystemTime::now());
    report.add(Check::Tls, finding, Some(took));
    match greeted {
        Ok(greeting) => Ok(greeting.protocol),
        Err(_) => Err("there is no TLS with the upstream"),
    }
}

async fn find(report: &mut Report, way: &Way) -> Option<Vec<SocketAddr>> {
    let (found, took) = timed(way.addresses()).await;
    let named = match (way.is_address(), way.is_pinned()) {
        (true, _) => Named::Address,
        (false, true) => Named::Pinned,
        (false, false) => Named::LookedUp,
    };
    let finding = line::name(&way.first_host(), named, &found, took);
    report.add(Check::Dns, finding, Some(took));
    found.ok().filter(|addresses| !addresses.is_empty())
}

/// Connects to each address, all at once; returns whether one of them answers.
async fn reach(report: &mut Report, way: &Way, addresses: &[SocketAddr]) -> bool {
    let asked = addresses.iter().map(|address| timed(way.reach(*address)));
    let tried = join_all(asked).await;
    let (results, times): (Vec<_>, Vec<_>) = tried.into_iter().unzip();
    let answers = results.iter().any(Result::is_ok);
    let results: Vec<_> = addresses.iter().copied().zip(results).collect();
    for (finding, took) in line::addresses(&results).into_iter().zip(times) {
        report.add(Check::Tcp, finding, Some(took));
    }
    answers
}

/// Tells of the proxy, where there is one, and hands on the connection behind it.
fn by_proxy(
    report: &mut Report,
    way: &Way,
    loaded: &Loaded,
    (opened, took): (Result<Opened, NoWay>, Duration),
) -> Option<Opened> {
    let (opened, led) = match opened {
        Ok(opened) => (Some(opened), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let Some(at) = way.proxy() else {
        report.add(Check::Proxy, Finding::ok("none in between"), None);
        return opened;
    };
    // In clear text the proxy has been asked nothing yet.
    let led = (way.is_secured() || led.is_err()).then_some(&led);
    let finding = line::proxy(&at, &named_by(loaded), led);
    report.add(Check::Proxy, finding, Some(took));
    opened
}

/// The variable or key that names the proxy.
fn named_by(loaded: &Loaded) -> String {
    const KEY: &str = "upstream.proxy";
    let key = loaded.values.iter().find(|value| value.key == KEY);
    let source = key.map_or(KEY, |value| value.source.as_str());
    // A place in a file says less than the key does.
    if source.contains([':', '/']) {
        KEY.to_owned()
    } else {
        source.to_owned()
    }
}

async fn timed<T>(step: impl Future<Output = T>) -> (T, Duration) {
    let begun = Instant::now();
    let done = step.await;
    (done, begun.elapsed())
}
