//! How a request was answered: one enum, printed as header member, metric label and log field.

use std::borrow::Cow;
use std::fmt;

use super::Ground;

/// Where an artifact rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// In this process.
    Memory,
    /// In the data directory.
    Disk,
}

impl Tier {
    /// Both, fastest first.
    pub const ALL: [Self; 2] = [Self::Memory, Self::Disk];

    /// The tier's name in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

/// What kind of request it was; the `route` of metrics and access lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteName {
    /// `GET` of an artifact.
    Get,
    /// `HEAD` of an artifact.
    Head,
    /// `PUT` of an artifact.
    Put,
    /// `POST` to the artifacts root: existence of many.
    Batch,
    /// `POST` of usage events.
    Events,
    /// `GET` of the status.
    Status,
    /// `OPTIONS` of an artifact route.
    Preflight,
    /// Everything else.
    Pass,
}

impl RouteName {
    /// Every route, in the order of the metric's documentation.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Head,
        Self::Put,
        Self::Batch,
        Self::Events,
        Self::Status,
        Self::Preflight,
        Self::Pass,
    ];

    /// The route's name in metrics and access lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Put => "put",
            Self::Batch => "batch",
            Self::Events => "events",
            Self::Status => "status",
            Self::Preflight => "preflight",
            Self::Pass => "pass",
        }
    }
}

/// Why the upstream could not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// No answer within its budget.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// No connection: name, address, TLS, proxy.
    #[error("the upstream cannot be reached")]
    Unreachable,
    /// An answer that is none: 5xx, a broken head, an unframed or encoded artifact.
    #[error("the upstream answered with an error")]
    Error,
    /// The connection broke in the middle.
    #[error("the upstream broke off")]
    Cut,
    /// 429: the upstream asks for less.
    #[error("the upstream limits its callers")]
    Limited,
    /// It refuses Larder's own credential.
    #[error("the upstream refuses Larder's own credential")]
    Credential,
    /// A page for people: the login that a gateway before the origin shows strangers, say.
    #[error("a web page came in place of the upstream's answer")]
    Page,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 7] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Error,
        Self::Cut,
        Self::Limited,
        Self::Credential,
        Self::Page,
    ];

    /// The `detail` of `Cache-Status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "upstream-timeout",
            Self::Unreachable => "upstream-unreachable",
            Self::Error => "upstream-error",
            Self::Cut => "upstream-cut",
            Self::Limited => "upstream-limited",
            Self::Credential => "upstream-credential",
            Self::Page => "upstream-page",
        }
    }
}

/// Why an artifact that could have been cached was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bypass {
    /// Larger than every tier admits.
    TooLarge,
    /// No tier has room that eviction could make.
    NoRoom,
    /// The disk tier is failing.
    DiskFault,
    /// More header fields than an entry holds.
    TooManyFields,
    /// Not signed, where only signed artifacts are taken in.
    InvalidSignature,
}

impl Bypass {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::TooLarge,
        Self::NoRoom,
        Self::DiskFault,
        Self::TooManyFields,
        Self::InvalidSignature,
    ];

    /// The `detail` of `Cache-Status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::NoRoom => "no-room",
            Self::DiskFault => "disk-fault",
            Self::TooManyFields => "too-many-fields",
            Self::InvalidSignature => "invalid-signature",
        }
    }
}

/// How a request was answered.
///
/// [`Display`](fmt::Display) is our member of `Cache-Status` (RFC 9211), [`Outcome::as_str`] the
/// label of metrics and access lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Served from a tier; `grace` where the verdict outlived its time because the upstream could
    /// not be asked.
    Hit {
        /// The tier it came from.
        tier: Tier,
        /// Served on an acceptance that could not be renewed.
        grace: bool,
    },
    /// This request started the fill, and the artifact is admitted for storing.
    Filled,
    /// It followed a fill that another request had started.
    Collapsed,
    /// Fetched or passed on, but not stored.
    Bypassed(Bypass),
    /// The upstream has no such artifact, or hides it: a 404.
    Absent,
    /// Held back by the operator until a new upload of it is accepted, whatever there is of it.
    Held,
    /// The upstream could not say.
    Degraded(Failure),
    /// An upload that was accepted and kept.
    Stored,
    /// An upload that was accepted and not kept, or any other request that was passed on.
    Passed,
    /// The upstream refused, with this status.
    Refused(u16),
    /// An upload the upstream refused.
    UploadRefused,
    /// An upload or passed request that the upstream could not take.
    Undelivered(Failure),
    /// Answered here, because that is where the answer is: preflight, a standalone status.
    Answered,
    /// Refused here.
    Denied(Ground),
    /// A request that is none, or a fault of ours; the word is the error's code.
    Error(&'static str),
}

impl Outcome {
    /// Every label of [`Outcome::as_str`].
    pub const LABELS: [&'static str; 12] = [
        "hit-memory",
        "hit-disk",
        "filled",
        "collapsed",
        "absent",
        "degraded",
        "bypass",
        "stored",
        "refused",
        "denied",
        "passed",
        "error",
    ];

    /// Whether it was served from a tier.
    pub fn is_hit(self) -> bool {
        matches!(self, Self::Hit { .. })
    }

    /// The `outcome` of metrics and access lines.
    pub fn as_str(self) -> &'static str {
        Self::LABELS.get(self.index()).copied().unwrap_or("error")
    }

    /// What the label leaves open; the `detail` of access lines.
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::Hit { grace: true, .. } => Some("grace"),
            Self::Bypassed(reason) => Some(reason.as_str()),
            Self::Degraded(failure) | Self::Undelivered(failure) => Some(failure.as_str()),
            Self::Denied(ground) => Some(ground.as_str()),
            Self::Held => Some("held"),
            Self::Answered => Some("answered"),
            Self::Error(code) => Some(code),
            Self::Hit { .. }
            | Self::Filled
            | Self::Collapsed
            | Self::Absent
            | Self::Stored
            | Self::Passed
            | Self::Refused(_)
            | Self::UploadRefused => None,
        }
    }

    /// The position of this outcome's label in [`Outcome::LABELS`].
    pub fn index(self) -> usize {
        match self {
            Self::Hit {
                tier: Tier::Memory, ..
            } => 0,
            Self::Hit {
                tier: Tier::Disk, ..
            } => 1,
            Self::Filled => 2,
            Self::Collapsed => 3,
            Self::Absent | Self::Held => 4,
            Self::Degraded(_) | Self::Undelivered(_) => 5,
            Self::Bypassed(_) => 6,
            Self::Stored => 7,
            Self::Refused(_) | Self::UploadRefused => 8,
            Self::Denied(_) => 9,
            Self::Passed | Self::Answered => 10,
            Self::Error(_) => 11,
        }
    }

    /// Our member of `Cache-Status`; borrowed where nothing in it has to be put together.
    pub fn member(self) -> Cow<'static, str> {
        match self {
            Self::Hit { tier, grace } => match (tier, grace) {
                (Tier::Memory, false) => "larder; hit; detail=memory".into(),
                (Tier::Memory, true) => "larder; hit; detail=memory; grace".into(),
                (Tier::Disk, false) => "larder; hit; detail=disk".into(),
                (Tier::Disk, true) => "larder; hit; detail=disk; grace".into(),
            },
            Self::Filled => "larder; fwd=uri-miss; fwd-status=200; stored".into(),
            Self::Collapsed => "larder; fwd=uri-miss; collapsed".into(),
            Self::Absent => "larder; fwd=uri-miss; fwd-status=404".into(),
            Self::Held => "larder; detail=held".into(),
            Self::Stored => "larder; fwd=method; stored".into(),
            Self::Passed | Self::UploadRefused => "larder; fwd=method".into(),
            Self::Answered => "larder; detail=answered".into(),
            Self::Denied(_) => "larder; detail=denied".into(),
            Self::Bypassed(why) => format!("larder; fwd=bypass; detail={}", why.as_str()).into(),
            Self::Degraded(why) => format!("larder; fwd=uri-miss; detail={}", why.as_str()).into(),
            Self::Refused(status) => format!("larder; fwd=uri-miss; fwd-status={status}").into(),
            Self::Undelivered(why) => format!("larder; fwd=method; detail={}", why.as_str()).into(),
            Self::Error(code) => format!("larder; detail={}", code.replace('_', "-")).into(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.member())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_printed_as_the_interface_says() {
        let printed = |outcome: Outcome| outcome.to_string();
        assert_eq!(
            printed(Outcome::Hit {
                tier: Tier::Memory,
                grace: false
            }),
            "larder; hit; detail=memory"
        );
        assert_eq!(
            printed(Outcome::Hit {
                tier: Tier::Disk,
                grace: true
            }),
            "larder; hit; detail=disk; grace"
        );
        assert_eq!(
            printed(Outcome::Filled),
            "larder; fwd=uri-miss; fwd-status=200; stored"
        );
        assert_eq!(
            printed(Outcome::Collapsed),
            "larder; fwd=uri-miss; collapsed"
        );
        assert_eq!(
            printed(Outcome::Absent),
            "larder; fwd=uri-miss; fwd-status=404"
        );
        assert_eq!(
            printed(Outcome::Degraded(Failure::Timeout)),
            "larder; fwd=uri-miss; detail=upstream-timeout"
        );
        assert_eq!(
            printed(Outcome::Bypassed(Bypass::TooLarge)),
            "larder; fwd=bypass; detail=too-large"
        );
        assert_eq!(printed(Outcome::Held), "larder; detail=held");
        assert_eq!(printed(Outcome::Stored), "larder; fwd=method; stored");
        assert_eq!(printed(Outcome::Passed), "larder; fwd=method");
        assert_eq!(
            printed(Outcome::Denied(Ground::ReadOnly)),
            "larder; detail=denied"
        );
    }
}
