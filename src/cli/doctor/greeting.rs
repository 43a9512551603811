//! From what a TLS handshake came to, to what is said of it: the certificate, who vouches for it, and what to do
//! where nobody does. Values only.

use std::time::{Duration, SystemTime};

use super::finding::Finding;
use crate::certificate::{Certificate, Validity};
use crate::config::Authorities;
use crate::config::show_moment;
use crate::upstream::{Distrust, Greeting, NoGreeting, Shown};

/// A certificate that ends sooner than this should have been renewed.
const RENEWED_BEFORE: Duration = Duration::from_hours(14 * 24);

/// What TLS came to with a server whose authorities are vouched for by `authorities`.
pub(super) fn tls(
    greeted: &Result<Greeting, NoGreeting>,
    authorities: Authorities,
    now: SystemTime,
) -> Finding {
    match greeted {
        Ok(greeting) => agreed(greeting, authorities, now),
        Err(error) => refused(error, authorities),
    }
}

/// What is not encrypted anybody on the way can read.
pub(super) fn clear_text(is_local: bool) -> Finding {
    if is_local {
        Finding::ok("the upstream is spoken to in clear text, on this machine")
    } else {
        Finding::warning(
            "the upstream is spoken to in clear text: whoever is on the way reads tokens and artifacts",
            "use https:// in upstream.url if the upstream has it",
        )
    }
}

fn agreed(greeting: &Greeting, authorities: Authorities, now: SystemTime) -> Finding {
    let shown = described(&greeting.shown).unwrap_or_else(|| "a certificate".to_owned());
    let by = trusted(authorities);
    let detail = format!("{}, {shown}, trusted by {by}", greeting.version);
    let own = first(&greeting.shown);
    let is_late = own.is_some_and(|own| own.at(now + RENEWED_BEFORE) == Validity::Ended);
    if is_late {
        let advice = "the certificate ends soon: have the upstream's operator renew it";
        return Finding::warning(detail, advice);
    }
    Finding::ok(detail)
}

fn refused(error: &NoGreeting, authorities: Authorities) -> Finding {
    let shown = described(&error.shown).map(|shown| format!("; it shows {shown}"));
    let detail = format!("{}{}", error.cause, shown.unwrap_or_default());
    let issuer = error
        .shown
        .0
        .last()
        .and_then(|last| Certificate::read(last).ok());
    let issuer = issuer.map_or_else(
        || "its issuer".to_owned(),
        |last| format!("\"{}\"", last.issuer()),
    );
    Finding::failure(detail, advice(error.distrust, authorities, &issuer))
}

fn advice(distrust: Distrust, authorities: Authorities, issuer: &str) -> String {
    let advice = match distrust {
        Distrust::Stranger if authorities == Authorities::File => {
            return format!(
                "upstream.ca_file does not hold the authority {issuer}: add its certificate"
            );
        }
        Distrust::Stranger => {
            let whose = trusted(authorities);
            return format!(
                "a private authority, {issuer}, which {whose} do not hold: set upstream.ca_file to its \
                 certificate (PEM)"
            );
        }
        Distrust::Ended => {
            "the upstream's certificate has ended: have it renewed; or this machine's clock is ahead"
        }
        Distrust::Early => {
            "the upstream's certificate is not valid yet: look at this machine's clock"
        }
        Distrust::OtherName => "the certificate is for another name: say that one in upstream.url",
        Distrust::NoName => {
            "the certificate names no host but in its subject, where none counts: have it made anew with a \
             subjectAltName"
        }
        Distrust::Authority => {
            "the certificate is an authority's, which is taken from no server, also where it is trusted: have one made for the \
             server (`openssl req -x509` with -addext basicConstraints=critical,CA:FALSE), and upstream.ca_file \
             set to it or to its authority"
        }
        Distrust::Certificate => "have the upstream's certificate put right",
        Distrust::Refused => {
            "the upstream wants to see a certificate, or another one: upstream.client_cert and .client_key"
        }
        Distrust::Protocol => {
            "no TLS is spoken there: should upstream.url begin with http://, or is the port another?"
        }
        Distrust::Broken => {
            "who answers breaks TLS off, or says nothing: a firewall, a proxy that has to be named (upstream.proxy), or a server \
             that speaks none (http:// in upstream.url)"
        }
    };
    advice.to_owned()
}

fn trusted(authorities: Authorities) -> &'static str {
    match authorities {
        Authorities::File => "the authorities in upstream.ca_file",
        Authorities::System => "the system's authorities",
        Authorities::BuiltIn => "the built-in authorities (the system has none)",
    }
}

fn first(shown: &Shown) -> Option<Certificate> {
    Certificate::read(shown.0.first()?).ok()
}

fn described(shown: &Shown) -> Option<String> {
    let own = first(shown)?;
    Some(format!(
        "a certificate for {}, by \"{}\", until {}",
        own.server(),
        own.issuer(),
        show_moment(own.ends())
    ))
}
