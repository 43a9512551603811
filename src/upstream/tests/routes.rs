//! TLS and proxies.

use std::io::Write;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

use super::origin::{Origin, Seen, Step, answer, say};
use super::{SHORT, artifact, at, config, failed, found, upstream, whole};
use crate::artifact::Failure;
use crate::config::{Identity, Upstream};
use crate::upstream::Fetched;

/// A server for `localhost`, and the file that makes it trusted.
pub(super) fn certificate() -> (TlsAcceptor, NamedTempFile) {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(own.cert.pem().as_bytes()).unwrap();
    (acceptor(&own, None), file)
}

/// A server by this certificate, which wants one of `clients` where there are any.
fn acceptor(own: &CertifiedKey<KeyPair>, clients: Option<RootCertStore>) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(roots) => {
            let roots = Arc::new(roots);
            WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .unwrap()
        }
    };
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(server))
}

/// The same with an upstream that wants a certificate, and has Larder's.
pub(super) async fn secure_both_ways() -> (Origin, Upstream, NamedTempFile) {
    // One certificate for both ends.
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(own.cert.pem().as_bytes()).unwrap();
    let mut clients = RootCertStore::empty();
    clients.add(own.cert.der().clone()).unwrap();
    let tls = acceptor(&own, Some(clients));
    let origin = Origin::with_tls(tls, |_| vec![answer("200 OK", "abc")]).await;
    let mut config = config(&format!("https://localhost:{}", origin.address.port()));
    config.ca_file = Some(file.path().to_owned());
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    config.identity = Some(Identity::of(vec![own.cert.der().clone()], &key));
    (origin, config, file)
}

pub(super) async fn secure() -> (Origin, Upstream, NamedTempFile) {
    let (tls, file) = certificate();
    let origin = Origin::with_tls(tls, |_| vec![answer("200 OK", "abc")]).await;
    let mut config = config(&format!("https://localhost:{}", origin.address.port()));
    config.ca_file = Some(file.path().to_owned());
    (origin, config, file)
}

/// A proxy that knows `CONNECT`, and answers everything else by itself.
async fn proxy(origin: &Origin) -> Origin {
    let target = origin.address;
    Origin::start(move |seen: &Seen| {
        if seen.line().starts_with("CONNECT ") {
            return vec![say("HTTP/1.1 200 Go on\r\n\r\n"), Step::Tunnel(target)];
        }
        vec![answer("200 OK", "by proxy")]
    })
    .await
}

#[tokio::test]
async fn an_own_authority_is_trusted() {
    let (origin, config, _file) = secure().await;
    let upstream = upstream(&config);
    for _ in 0..2 {
        let fetch = found(upstream.fetch(&artifact()).await);
        assert_eq!(whole(fetch).await.unwrap(), "abc");
    }
    assert_eq!(origin.seen()[1].connection, 1, "one handshake");
}

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let (origin, mut config, _file) = secure().await;
    let (_, other) = certificate();
    config.ca_file = Some(other.path().to_owned());
    let fetched = upstream(&config).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Unreachable);
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn a_handshake_that_hangs_is_unreachable_in_time() {
    let silent = Origin::start(|_| vec![]).await;
    let mut config = config(&format!("https://localhost:{}", silent.address.port()));
    config.connect_timeout = SHORT;
    let fetched = upstream(&config).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Unreachable);
    silent.deserted().await;
}

#[tokio::test]
async fn tls_goes_through_the_tunnel_of_a_proxy() {
    let (origin, mut config, _file) = secure().await;
    let proxy = proxy(&origin).await;
    config.proxy.https = Some(format!("http://user:pass@{}", proxy.address));
    let fetch = found(upstream(&config).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "abc");
    let connect = &proxy.seen()[0];
    let port = origin.address.port();
    assert_eq!(connect.line(), format!("CONNECT localhost:{port} HTTP/1.1"));
    assert_eq!(
        connect.header("proxy-authorization"),
        Some("Basic dXNlcjpwYXNz")
    );
    assert_eq!(connect.header("authorization"), None);
    assert_eq!(origin.seen()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn a_proxy_that_refuses_the_tunnel_makes_the_upstream_unreachable() {
    let (origin, mut config, _file) = secure().await;
    let proxy = Origin::start(|_| vec![answer("407 Who", "")]).await;
    config.proxy.https = Some(format!("http://{}", proxy.address));
    let fetched = upstream(&config).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Unreachable);
    assert!(origin.seen().is_empty());
}

#[tokio::test]
async fn a_407_is_that_of_a_proxy_only_where_one_answers_in_clear_text() {
    let wants = |_: &Seen| vec![answer("407 Who", "")];
    let (acceptor, file) = certificate();
    let secured = Origin::with_tls(acceptor, wants).await;
    let clear = Origin::start(wants).await;
    let proxy = proxy(&secured).await;
    let mut direct = at(clear.address);
    let mut in_tunnel = config(&format!("https://localhost:{}", secured.address.port()));
    in_tunnel.ca_file = Some(file.path().to_owned());
    in_tunnel.proxy.https = Some(format!("http://{}", proxy.address));
    for config in [&direct, &in_tunnel] {
        match upstream(config).fetch(&artifact()).await {
            Fetched::Refused(answer) => assert_eq!(answer.code(), 407),
            other => panic!("{other:?}"),
        }
    }
    direct.proxy.http = Some(format!("http://{}", clear.address));
    let fetched = upstream(&direct).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Unreachable);
}

#[tokio::test]
async fn plain_requests_are_sent_to_the_proxy_whole() {
    let origin = Origin::start(|_| vec![answer("200 OK", "abc")]).await;
    let proxy = proxy(&origin).await;
    let mut config = at(origin.address);
    config.proxy.http = Some(format!("http://user:pass@{}", proxy.address));
    let fetch = found(upstream(&config).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "by proxy");
    let seen = &proxy.seen()[0];
    let address = origin.address;
    assert_eq!(
        seen.line(),
        format!("GET http://{address}/base/v8/artifacts/a?slug=t%20x&b= HTTP/1.1")
    );
    assert_eq!(seen.header("host").unwrap(), address.to_string());
    assert_eq!(
        seen.header("proxy-authorization"),
        Some("Basic dXNlcjpwYXNz")
    );
}

#[tokio::test]
async fn a_proxy_may_be_reached_by_tls() {
    let (tls, file) = certificate();
    let proxy = Origin::with_tls(tls, |_| vec![answer("200 OK", "by proxy")]).await;
    let mut config = config("http://upstream.invalid/base");
    config.ca_file = Some(file.path().to_owned());
    config.proxy.http = Some(format!("https://localhost:{}", proxy.address.port()));
    let fetch = found(upstream(&config).fetch(&artifact()).await);
    assert_eq!(whole(fetch).await.unwrap(), "by proxy");
}

#[tokio::test]
async fn no_proxy_goes_direct() {
    let (origin, mut config, _file) = secure().await;
    let proxy = proxy(&origin).await;
    config.proxy.https = Some(format!("http://{}", proxy.address));
    config.proxy.no = Some("localhost".to_owned());
    found(upstream(&config).fetch(&artifact()).await);
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn https_never_leads_to_http() {
    let plain = Origin::start(|_| vec![answer("200 OK", "abc")]).await;
    let (tls, file) = certificate();
    let location = format!("http://localhost:{}/", plain.address.port());
    let origin = Origin::with_tls(tls, move |_| {
        vec![say(&format!(
            "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        ))]
    })
    .await;
    let mut config = config(&format!("https://localhost:{}", origin.address.port()));
    config.ca_file = Some(file.path().to_owned());
    let fetched = upstream(&config).fetch(&artifact()).await;
    assert_eq!(failed(&fetched), Failure::Error);
    assert!(plain.seen().is_empty());
}
