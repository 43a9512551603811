//! The real client with a Larder that speaks TLS, by a certificate made as the documentation says.

use crate::client::{Client, Signing, Version};
use crate::larder::Home;
use crate::monorepo::{Monorepo, TASKS};
use crate::openssl::certify;
use crate::{SLUG, assert_all_remote, remote};

const SECURED: &str = "\
server.tls.cert = \"{folder}/tls.pem\"
server.tls.key = \"{folder}/tls-key.pem\"
";

#[test]
fn a_build_of_2_11_trusts_the_certificate_that_it_is_told_of_and_no_other() {
    with_a_certificate_of_its_own(Version::V2_11);
}

#[test]
fn a_build_of_2_0_trusts_the_certificate_that_it_is_told_of_and_no_other() {
    with_a_certificate_of_its_own(Version::V2_0);
}

#[test]
fn a_build_of_1_10_trusts_the_certificate_that_it_is_told_of_and_no_other() {
    with_a_certificate_of_its_own(Version::V1_10);
}

fn with_a_certificate_of_its_own(version: Version) {
    let Some(client) = Client::get(version) else {
        return;
    };
    let home = Home::with("none", SECURED);
    if !certify(&home.path(""), "localhost") {
        return;
    }
    let larder = home.start();
    assert!(larder.api.starts_with("https://"), "{}", larder.api);
    let monorepo = Monorepo::new(version, Signing::Off);
    // 2.0 knows servers by their names, and none by its address.
    let api = larder.api.replace("127.0.0.1", "localhost");
    let remote = remote(&api, SLUG);
    let authorities = home.path("tls.pem").display().to_string();
    let trusting = [("SSL_CERT_FILE", authorities.as_str())];

    let strange = client.run(&monorepo, Some(&remote), &[]);
    assert!(strange.status.success(), "{}", strange.transcript);
    assert_eq!(
        larder.entries(),
        0,
        "whom it does not trust it sends nothing"
    );

    monorepo.forget_builds();
    let cold = client.run(&monorepo, Some(&remote), &trusting);
    assert!(cold.status.success(), "{}", cold.transcript);
    assert_eq!(
        larder.requests("put", "stored"),
        TASKS,
        "{}",
        cold.transcript
    );
    monorepo.forget_builds();
    assert_all_remote(&client.run(&monorepo, Some(&remote), &trusting));
    assert_eq!(larder.hits(), TASKS);
}
