//! What happened to a request and what to do about it, in a sentence for people. Pure.

use crate::artifact::{Bypass, Failure, Ground, Outcome, RouteName, Tier};
use crate::telemetry::{Answered, Ended};

/// The sentence about a request that was answered so.
pub(super) fn explain(answered: &Answered) -> String {
    let told = outcome(answered);
    let ending = match (answered.ended, answered.outcome) {
        (Ended::Whole, _) | (Ended::Left, Outcome::Error(LEFT)) => "",
        (Ended::Left, _) => "; the client left before the end of the answer",
        (Ended::Broken, _) => "; the answer broke off, because where it came from did",
    };
    format!("{told}{ending}")
}

/// What is said of a request whose client left before there was an answer.
const LEFT: &str = "client_left";

fn outcome(answered: &Answered) -> String {
    let route = answered.route;
    match answered.outcome {
        Outcome::Hit { tier, grace } => hit(tier, grace),
        Outcome::Filled => {
            "it was not here: it was fetched from the upstream, and is kept".to_owned()
        }
        Outcome::Collapsed => {
            "it was on its way from the upstream for another request already, and was read along"
                .to_owned()
        }
        Outcome::Bypassed(why) => bypassed(why, route),
        Outcome::Absent => {
            "there is none: not here under this team, and not upstream for this token; the task \
             that makes it has to run and upload it, under the same team"
                .to_owned()
        }
        Outcome::Degraded(failure) => format!(
            "it was not here, and {}, so the client was told of a miss; {}",
            failure,
            remedy(failure)
        ),
        Outcome::Stored => "the upload was accepted, and is kept here".to_owned(),
        Outcome::Passed => passed(route).to_owned(),
        Outcome::Refused(status) => refused(status),
        Outcome::UploadRefused => upload_refused(answered.status),
        Outcome::Undelivered(failure) => format!(
            "the upload did not reach the upstream ({failure}) and is not kept: the next build makes the \
             artifact once more; {} (upload.on_failure = \"keep\" keeps such uploads here)",
            remedy(failure)
        ),
        Outcome::Answered => "it was answered here".to_owned(),
        Outcome::Denied(ground) => format!("it was refused here: {}", denied(ground)),
        Outcome::Error(code) => error(code),
    }
}

fn hit(tier: Tier, grace: bool) -> String {
    let from = tier.as_str();
    let until = if grace {
        ", on the strength of an earlier acceptance, because the upstream cannot be asked about this \
         token now (access.offline_grace)"
    } else {
        ""
    };
    format!("it was here, in the {from} tier{until}")
}

fn passed(route: RouteName) -> &'static str {
    match route {
        RouteName::Put => {
            "the upload was accepted upstream and is not kept here: it overlapped with another of the \
             same artifact, or did not come whole; the next download fetches it"
        }
        RouteName::Head => "it was not here, but is upstream; the next download fetches it",
        _ => "it was passed on",
    }
}

fn bypassed(why: Bypass, route: RouteName) -> String {
    let how = if route == RouteName::Put {
        "the upload was accepted upstream, but is not kept here"
    } else {
        "it came from the upstream, but is not kept here"
    };
    let why = match why {
        Bypass::TooLarge => {
            "it is larger than the tiers take; raise tier.disk.max_artifact or tier.disk.capacity"
        }
        Bypass::NoRoom => {
            "no room could be made for it; raise tier.disk.capacity, or free some of the disk"
        }
        Bypass::DiskFault => {
            "the disk tier does not work; see the log, and larder_disk_faults_total"
        }
        Bypass::TooManyFields => "it has more x-artifact-* header fields than an entry holds",
        Bypass::InvalidSignature => {
            "it is not signed with the key in access.signature_key_file; upload it with that key"
        }
    };
    format!("{how}: {why}")
}

/// What helps against a failure of the upstream.
fn remedy(failure: Failure) -> &'static str {
    match failure {
        Failure::Timeout => {
            "see whether it is slow or down, or give it longer (upstream.first_byte_timeout)"
        }
        Failure::Unreachable => {
            "look at its address, its name, its certificate and the proxies in between"
        }
        Failure::Error => "look into the upstream's own log",
        Failure::Cut => "look for what closes connections between here and there",
        Failure::Limited => {
            "ask for less at once (upstream.max_concurrent), or for a larger allowance there"
        }
        Failure::Credential => "renew the token in upstream.token_file",
        Failure::Page => {
            "see what stands before the upstream: a login wants another credential \
             (access.credential_headers)"
        }
    }
}

fn refused(status: u16) -> String {
    let what = match status {
        401 => "does not know this token: renew it, on the client",
        402 => "wants an allowance that is used up, or not paid for",
        403 => {
            "refused this token for this team: use a token of a member of that team, or name another \
             team, and see that remote caching is enabled for it"
        }
        _ => "refused the request: look into its own log",
    };
    format!("the upstream {what} ({status})")
}

fn upload_refused(status: u16) -> String {
    let what = match status {
        401 => "does not know this token: renew it, on the client",
        402 => "wants an allowance that is used up, or not paid for",
        403 => {
            "refused this upload: the token may not write for this team, or remote caching is not \
             enabled for it"
        }
        413 => "finds this artifact too large: leave files out of the task's outputs",
        424 => {
            "sends uploads elsewhere, and Larder does not follow; name in upstream.url where they go"
        }
        _ => "refused this upload: look into its own log",
    };
    format!("the upstream {what} ({status})")
}

fn denied(ground: Ground) -> &'static str {
    match ground {
        Ground::UnknownToken => {
            "the token is on no list here, or its time is up; see access.tokens and access.oidc"
        }
        Ground::NoGrant => {
            "nothing in access.oidc grants anything to jobs that claim what this token claims"
        }
        Ground::OtherTeam => "the token's entry in access.tokens does not have this team",
        Ground::ReadOnly => "the token's entry in access.tokens may download but not upload",
        Ground::OtherRoute => {
            "with a credential of its own (upstream.token_file), Larder passes on requests about \
             artifacts only"
        }
        Ground::Foreign => {
            "a web page sent it, or it means another host; a name that this server has belongs in \
             server.hosts"
        }
        Ground::InvalidSignature => {
            "the upload is not signed with the key in access.signature_key_file"
        }
    }
}

fn error(code: &str) -> String {
    let what = match code {
        LEFT => "the client left before there was an answer",
        "bad_request" => "the request says no one thing, so nothing was done",
        "too_large" => "the upload is larger than upload.max_size",
        "too_many_fields" => "it has more header fields than server.max_fields",
        "target_too_long" => "its target is longer than 8000 bytes",
        "upload_too_slow" => {
            "the upload did not come within upload.timeout, or its client paused while others waited"
        }
        "upload_cut" => "the client broke off in the middle of the upload",
        "no_room" => {
            "there is no room for this upload; raise tier.disk.capacity, or free some of the disk"
        }
        "loop" => "it has come through here before: upstream.url leads back to this Larder",
        _ => "it is no request that can be answered here",
    };
    format!("{what} ({code})")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    fn answered(route: RouteName, outcome: Outcome, status: u16) -> Answered {
        Answered {
            outcome,
            status,
            ended: Ended::Whole,
            total: Duration::ZERO,
            ..Answered::not_yet(route)
        }
    }

    fn outcomes() -> Vec<Outcome> {
        let plain = [
            Outcome::Filled,
            Outcome::Collapsed,
            Outcome::Absent,
            Outcome::Stored,
            Outcome::Passed,
            Outcome::Answered,
            Outcome::Refused(401),
            Outcome::Refused(403),
            Outcome::Error(LEFT),
            Outcome::Error("no_room"),
        ];
        let hits = Tier::ALL
            .map(|tier| [false, true].map(|grace| Outcome::Hit { tier, grace }))
            .into_iter()
            .flatten();
        plain
            .into_iter()
            .chain(hits)
            .chain(Failure::ALL.map(Outcome::Degraded))
            .chain(Failure::ALL.map(Outcome::Undelivered))
            .chain(Bypass::ALL.map(Outcome::Bypassed))
            .chain(Ground::ALL.map(Outcome::Denied))
            .collect()
    }

    #[test]
    fn everything_that_can_become_of_a_request_has_a_sentence_of_its_own() {
        let outcomes = outcomes();
        let told: HashSet<_> = outcomes
            .iter()
            .map(|outcome| explain(&answered(RouteName::Get, *outcome, 200)))
            .collect();
        assert_eq!(told.len(), outcomes.len());
        let labels: HashSet<_> = outcomes.iter().map(|outcome| outcome.as_str()).collect();
        assert_eq!(labels.len(), Outcome::LABELS.len(), "none is left out");
    }

    #[test]
    fn a_refusal_says_by_whom_and_what_helps() {
        for (route, outcome, status, parts) in [
            (
                RouteName::Get,
                Outcome::Refused(403),
                403,
                ["the upstream refused this token for this team", "(403)"],
            ),
            (
                RouteName::Put,
                Outcome::UploadRefused,
                413,
                ["the upstream", "outputs"],
            ),
            (
                RouteName::Put,
                Outcome::Denied(Ground::ReadOnly),
                403,
                ["refused here", "access.tokens"],
            ),
            (
                RouteName::Put,
                Outcome::Bypassed(Bypass::TooLarge),
                200,
                ["upload", "tier.disk.max_artifact"],
            ),
            (
                RouteName::Get,
                Outcome::Degraded(Failure::Credential),
                404,
                ["Larder's own credential", "upstream.token_file"],
            ),
        ] {
            let told = explain(&answered(route, outcome, status));
            for part in parts {
                assert!(told.contains(part), "{told}");
            }
        }
    }

    #[test]
    fn how_an_answer_ended_is_said_where_it_did_not_end_whole() {
        let hit = answered(RouteName::Get, outcomes()[10], 200);
        let left = Answered {
            ended: Ended::Left,
            ..hit
        };
        assert!(explain(&left).ends_with("the client left before the end of the answer"));
        let broken = Answered {
            ended: Ended::Broken,
            ..hit
        };
        assert!(explain(&broken).contains("broke off"));
        let gone = Answered::not_yet(RouteName::Get);
        assert_eq!(explain(&gone).matches("left").count(), 2, "and its code");
    }
}
