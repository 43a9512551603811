//! A miss: a place in a fill, one's own or somebody else's.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::HeaderValue;
use tokio::time::{Duration, Instant, timeout_at};

use super::get::{absent, refused};
use super::traced::conclude;
use super::{Ask, Proxy, ProxyError, Reply, Served, ServedBody};
use crate::access::Right;
use crate::artifact::{Bypass, Failure, Fields, Label, Outcome, Tier};
use crate::transfer::{
    Fate, Follower, Head, Joined, Lead, LookAgain, NoSeat, Opening, Reader, Source, SourceHead,
    fill,
};
use crate::upstream::{Fetched, UpstreamBody};

/// How long a client waits for a fill's head, and one that must be told a length for its end: inside
/// its own thirty seconds, so that it is told of a miss rather than left to find out.
const HEAD_WAIT: Duration = Duration::from_secs(20);

/// What a request may still try before it takes no for an answer.
pub(super) struct Patience {
    /// Looking into the tiers and the table; a bound on turns that should never be reached.
    pub(super) rounds: u8,
    /// Opening what was found once more.
    pub(super) openings: u8,
    /// When it takes no for an answer whatever it may still try.
    until: Instant,
    /// Looking once more after an absence.
    looks: u8,
    /// Asking anew after a fill broke before its head reached us.
    retries: u8,
    /// Following somebody with another credential.
    followed_stranger: bool,
}

/// One attempt at a miss.
pub(super) enum Attempt {
    /// It came to an end.
    Done(Result<Served, ProxyError>),
    /// The tiers or the table hold something new.
    Again,
    /// What there is to follow is no use to this caller.
    Alone,
}

/// How this request came to the fill it follows.
#[derive(Clone, Copy)]
enum Came {
    /// It started it.
    First,
    /// Another request had started it; `grace` as for a hit.
    Later { grace: bool },
}

impl Patience {
    pub(super) fn new() -> Self {
        Self {
            rounds: 5,
            openings: 1,
            until: Instant::now() + HEAD_WAIT,
            looks: 1,
            retries: 1,
            followed_stranger: false,
        }
    }
}

impl Proxy {
    /// Leads the fill of the key, or follows it.
    pub(super) async fn serve_miss(
        self: &Arc<Self>,
        ask: &Ask,
        patience: &mut Patience,
    ) -> Attempt {
        let follower = match self.flights.join(ask.key.digest, ask.speaker()) {
            Joined::Lead(lead, follower) => {
                self.lead(ask, lead, LookAgain::Yes);
                return self.follow(ask, &follower, Came::First, patience).await;
            }
            Joined::Follow(follower) => follower,
        };
        tracing::debug!("a request follows a fetch that is under way");
        let is_own = follower.leader() == ask.speaker();
        if patience.followed_stranger && !is_own {
            return Attempt::Alone;
        }
        self.follow_later(ask, &follower, patience).await
    }

    /// Fetches outside the table, where nobody can follow.
    pub(super) async fn fetch_alone(
        self: &Arc<Self>,
        ask: &Ask,
        spent: &Patience,
    ) -> Result<Served, ProxyError> {
        let (lead, follower) = self.flights.alone(ask.key.digest, ask.speaker());
        self.lead(ask, lead, LookAgain::No);
        let mut patience = Patience {
            retries: 0,
            until: spent.until,
            ..Patience::new()
        };
        let unanswered = Err(ProxyError::Unanswered(Failure::Cut));
        match self
            .follow(ask, &follower, Came::First, &mut patience)
            .await
        {
            Attempt::Done(served) => served,
            Attempt::Alone => unanswered,
            // An absence, and an upload accepted since.
            Attempt::Again => match self.tiers.lookup(&ask.key.digest).await {
                Some(found) => self.serve_hit(ask, found).await.unwrap_or(unanswered),
                None => unanswered,
            },
        }
    }

    /// Follows a fill whose word is for this caller.
    async fn follow(
        &self,
        ask: &Ask,
        follower: &Follower,
        came: Came,
        patience: &mut Patience,
    ) -> Attempt {
        match head_of(follower, patience.until).await {
            // Since it was asked for; whoever asks anew is told so.
            Head::Open(_) | Head::Failed(_) if self.is_held(ask) => Attempt::Again,
            Head::Open(opening) => self.serve_opening(ask, &opening, came, patience).await,
            // An upload may have been accepted since the upstream was asked.
            Head::Absent(_) if patience.looks > 0 && self.is_here(ask).await => {
                patience.looks -= 1;
                Attempt::Again
            }
            Head::Absent(answer) => Attempt::Done(Ok(absent(answer))),
            Head::Refused(answer) => Attempt::Done(Ok(refused(answer))),
            Head::LookAgain => Attempt::Again,
            Head::Failed(failure) => Attempt::Done(Err(ProxyError::Unanswered(failure))),
            Head::Asking => Attempt::Done(Err(ProxyError::Unanswered(Failure::Timeout))),
        }
    }

    /// Follows a fill that another request has started; under another credential only once.
    ///
    /// The bytes are for whoever is proven, and that is a question also of one's own fill: a caller
    /// may have been refused since it began. An absence counts only where the leader is proven too;
    /// a refusal is the leader's own affair, also one of a credential that Larder spoke with, a limit that the
    /// leader has reached, and the page that a gateway shows who is not logged in.
    async fn follow_later(
        self: &Arc<Self>,
        ask: &Ask,
        follower: &Follower,
        patience: &mut Patience,
    ) -> Attempt {
        let head = head_of(follower, patience.until).await;
        if let Head::Open(opening) = head {
            if self.is_held(ask) {
                return Attempt::Again;
            }
            return match self.judge(ask).await {
                ControlFlow::Continue(grace) => {
                    let came = Came::Later { grace };
                    self.serve_opening(ask, &opening, came, patience).await
                }
                ControlFlow::Break(told) => Attempt::Done(told),
            };
        }
        let (leader, speaker) = (follower.leader(), ask.speaker());
        let is_shared = || {
            let scope = ask.key.scope.digest();
            self.access.share_absences([leader, speaker], scope)
        };
        let is_the_leaders_affair = match &head {
            Head::Refused(_)
            | Head::Failed(Failure::Credential | Failure::Page | Failure::Limited) => {
                leader != speaker
            }
            Head::Absent(_) => !is_shared(),
            _ => false,
        };
        if is_the_leaders_affair {
            patience.followed_stranger = true;
            return Attempt::Again;
        }
        self.follow(ask, follower, Came::Later { grace: false }, patience)
            .await
    }

    /// Runs the fill as nobody's: clients come and go.
    fn lead(self: &Arc<Self>, ask: &Ask, lead: Lead, look_again: LookAgain) {
        let (proxy, mut ask) = (Arc::clone(self), ask.clone());
        let span = self.trace_fill(&mut ask);
        self.tasks.spawn(async move {
            let key = ask.key.clone();
            let filling = proxy.filling(look_again);
            // In a box: a future that awaits what it was given holds it twice.
            let fetch = Box::pin(proxy.fetch_unless_held(ask));
            let filled = fill(filling, lead, key, fetch).await;
            conclude(span, filled);
        });
    }

    /// Asks the upstream with the caller's own credential: the fetch is the judgement.
    pub(super) async fn fetch(self: Arc<Self>, ask: Ask) -> Source<UpstreamBody> {
        let key = ask.key.digest;
        let noted = self.tiers.epoch(&key);
        match self.upstream.fetch(&ask.outgoing.request()).await {
            Fetched::Found(found) => {
                self.absences.forget(&key);
                self.access.learn_read(&ask.question());
                let fields = Fields::pick(&found.headers);
                let said = found.headers.get_all("cache-status").iter();
                let head = SourceHead {
                    length: found.length,
                    cache_status: said.map(HeaderValue::clone).collect(),
                    // An artifact without all that describes it is another one: a signed client
                    // would miss it for as long as it rests.
                    bypass: fields.fit().err().map(|_| Bypass::TooManyFields),
                    label: Label::new(&ask.key, fields),
                    trace: self.trace_of(&ask),
                };
                Source::Found(head, found.body)
            }
            Fetched::Absent(answer) => {
                self.absences.note(key, ask.speaker(), &answer, noted);
                Source::Absent(answer)
            }
            Fetched::Refused(answer) => {
                if let Some(failure) = ask.admitted.misfortune(&answer) {
                    return Source::Failed(failure);
                }
                self.access.learn(&ask.question(), Right::Read, &answer);
                Source::Refused(answer)
            }
            Fetched::Failed(failure) => Source::Failed(failure),
        }
    }

    async fn serve_opening(
        &self,
        ask: &Ask,
        opening: &Opening,
        came: Came,
        patience: &mut Patience,
    ) -> Attempt {
        let reader = match opening.reader() {
            Ok(reader) => reader,
            // A window whose first bytes have gone by: whoever comes now fetches anew.
            Err(NoSeat::GoneBy) => return Attempt::Alone,
            Err(NoSeat::Broken) if patience.retries > 0 => {
                patience.retries -= 1;
                return Attempt::Again;
            }
            Err(NoSeat::Broken) => {
                return Attempt::Done(Err(ProxyError::Unanswered(Failure::Cut)));
            }
        };
        let outcome = outcome_of(opening, came);
        let (reader, length) = match with_needed_length(ask, opening, reader, patience.until).await
        {
            Ok(known) => known,
            Err(failure) => return Attempt::Done(Err(ProxyError::Unanswered(failure))),
        };
        let fields = &opening.head.label.fields;
        if outcome.is_hit() {
            self.count_saved(fields, length.unwrap_or_default());
        }
        let reply = Reply::Artifact {
            fields: fields.clone(),
            length,
            cache_status: opening.head.cache_status.clone(),
            body: ServedBody::Spool(reader),
            follows: match came {
                Came::First => None,
                Came::Later { .. } => opening.head.trace,
            },
        };
        Attempt::Done(Ok(Served { outcome, reply }))
    }

    async fn is_here(&self, ask: &Ask) -> bool {
        self.tiers.lookup(&ask.key.digest).await.is_some()
    }
}

/// The body's length; where the client can be told the end by nothing else (HTTP/1.0), known only
/// once every byte is here.
async fn with_needed_length(
    ask: &Ask,
    opening: &Opening,
    mut reader: Reader,
    until: Instant,
) -> Result<(Reader, Option<u64>), Failure> {
    let length = opening.length();
    if length.is_some() || !ask.needs_length {
        return Ok((reader, length));
    }
    match timeout_at(until, reader.whole()).await {
        Ok(Ok(length)) => Ok((reader.with_length(Some(length)), Some(length))),
        Ok(Err(_)) => Err(Failure::Cut),
        Err(_) => Err(Failure::Timeout),
    }
}

fn outcome_of(opening: &Opening, came: Came) -> Outcome {
    let tier = if opening.is_filed() {
        Tier::Disk
    } else {
        Tier::Memory
    };
    match (came, opening.fate) {
        (Came::First, Fate::Bypassed(bypass)) => Outcome::Bypassed(bypass),
        (Came::First, Fate::Admitted | Fate::Inspected) => Outcome::Filled,
        (Came::Later { grace }, _) if opening.is_about_to_rest() => Outcome::Hit { tier, grace },
        (Came::Later { .. }, _) => Outcome::Collapsed,
    }
}

async fn head_of(follower: &Follower, until: Instant) -> Head {
    timeout_at(until, follower.head())
        .await
        .unwrap_or(Head::Asking)
}
