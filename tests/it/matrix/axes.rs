//! The table's axes: what Larder holds, how it is asked, who asks, how the origin guards. Data.

/// The query under which the origin holds the team's artifacts, in the order of a Go client.
const HOME: &str = "slug=acme&teamId=team_acme";

/// Where Larder has the artifact when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Memory,
    /// The memory tier is off.
    Disk,
    /// In a fill that has its head and half of its body.
    Filling,
    /// In an upload of which the client has sent half.
    Uploading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Get,
    Head,
    Batch,
}

/// Who asks; unless said otherwise, under the query of the artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    NoToken,
    Garbage,
    /// With the token of another team.
    Outsider,
    /// The same, naming its own team beside this one.
    Confused,
    /// With a member's token, for another team.
    Astray,
    /// Without a team, where the artifact is another token's own.
    Neighbour,
    /// Accepted once, and the acceptance's time is up.
    Lapsed(Fate, Accepted),
    /// A member until a moment ago.
    Revoked(Fate, Word),
    Member(Query, Met),
}

/// What has become of a token at the origin since it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Kept,
    /// Its team has let it go.
    Dismissed,
    /// Nobody knows it any more.
    Expired,
}

/// What Larder has heard of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing: the acceptance is fresh.
    Unheard(Accepted),
    /// The origin has said it to the next request of that token.
    Heard(Accepted),
    /// It happened while the origin was being asked, for the first time.
    WhileAsked,
}

/// How Larder learnt that the asker may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It has read another artifact of the team.
    Before,
    /// The fill is its own.
    Leading,
}

/// Whether Larder knows the asker's token, under the asker's query, from another artifact there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    Never,
    Before,
}

/// How a member writes the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    TeamId,
    Slug,
    Both,
    /// Both, in the order of a Rust client.
    Turned,
    Repeated,
    /// With a parameter that nobody knows.
    Extended,
    NoTeam,
}

// === impl Asker ===

impl Asker {
    /// Everybody who can ask for what is held in that way.
    pub fn all(held: Held) -> Vec<Self> {
        use Asker::{
            Astray, Confused, Garbage, Lapsed, Member, Neighbour, NoToken, Outsider, Revoked,
        };
        use Fate::{Dismissed, Expired, Kept};
        let mut all = vec![NoToken, Garbage, Outsider, Confused, Astray, Neighbour];
        for met in [Met::Never, Met::Before] {
            all.extend(Query::ALL.map(|query| Member(query, met)));
        }
        all.extend([Dismissed, Expired].map(|fate| Revoked(fate, Word::WhileAsked)));
        let ways: &[Accepted] = match held {
            Held::Filling => &[Accepted::Before, Accepted::Leading],
            _ => &[Accepted::Before],
        };
        for &how in ways {
            all.extend([Kept, Dismissed, Expired].map(|fate| Lapsed(fate, how)));
            for word in [Word::Unheard(how), Word::Heard(how)] {
                all.extend([Dismissed, Expired].map(|fate| Revoked(fate, word)));
            }
        }
        all
    }

    pub fn query(self) -> &'static str {
        match self {
            Self::Astray => "slug=other&teamId=team_other",
            Self::Confused => "slug=acme&teamId=team_other",
            Self::Neighbour => "",
            Self::Member(query, _) => query.text(),
            _ => HOME,
        }
    }

    /// The query under which what it asks for is held.
    pub fn home(self) -> &'static str {
        match self {
            Self::Neighbour => "",
            _ => HOME,
        }
    }

    /// The team that has taken its token in at first.
    pub fn team(self) -> Option<&'static str> {
        match self {
            Self::NoToken | Self::Garbage => None,
            Self::Outsider | Self::Confused => Some("other"),
            _ => Some("acme"),
        }
    }

    pub fn fate(self) -> Fate {
        match self {
            Self::Lapsed(fate, _) | Self::Revoked(fate, _) => fate,
            _ => Fate::Kept,
        }
    }

    /// How Larder learnt to know it, where it has.
    pub fn accepted(self) -> Option<Accepted> {
        match self {
            Self::Lapsed(_, how) | Self::Revoked(_, Word::Unheard(how) | Word::Heard(how)) => {
                Some(how)
            }
            Self::Confused | Self::Neighbour | Self::Member(_, Met::Before) => {
                Some(Accepted::Before)
            }
            _ => None,
        }
    }
}

// === impl Query ===

impl Query {
    pub const ALL: [Self; 7] = [
        Self::TeamId,
        Self::Slug,
        Self::Both,
        Self::Turned,
        Self::Repeated,
        Self::Extended,
        Self::NoTeam,
    ];

    pub fn text(self) -> &'static str {
        match self {
            Self::TeamId => "teamId=team_acme",
            Self::Slug => "slug=acme",
            Self::Both => HOME,
            Self::Turned => "teamId=team_acme&slug=acme",
            Self::Repeated => "slug=acme&slug=acme&teamId=team_acme",
            Self::Extended => "slug=acme&teamId=team_acme&unheard=of",
            Self::NoTeam => "",
        }
    }
}
