//! Why a request was refused here, as access lines tell it.

/// Why a request was refused here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ground {
    /// No token, an unknown one, or one whose time is up.
    UnknownToken,
    /// A job's token, and nothing is granted to such jobs.
    NoGrant,
    /// The token is for other teams.
    OtherTeam,
    /// The token may only download.
    ReadOnly,
    /// Larder's own credential is for artifacts, and this was about something else.
    OtherRoute,
    /// A web page's request, or one that means another host.
    Foreign,
    /// Not signed with the key that artifacts must be signed with.
    InvalidSignature,
}

impl Ground {
    /// Every ground.
    pub const ALL: [Self; 7] = [
        Self::UnknownToken,
        Self::NoGrant,
        Self::OtherTeam,
        Self::ReadOnly,
        Self::OtherRoute,
        Self::Foreign,
        Self::InvalidSignature,
    ];

    /// The word in access lines; clients are told nothing but that they are denied.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownToken => "unknown-token",
            Self::NoGrant => "no-grant",
            Self::OtherTeam => "other-team",
            Self::ReadOnly => "read-only",
            Self::OtherRoute => "other-route",
            Self::Foreign => "foreign",
            Self::InvalidSignature => "invalid-signature",
        }
    }
}
