//! What the operator wrote, and what we made of it.
//!
//! [`Config`] is data: every value checked, nothing opened or connected. After start-up nobody reads
//! the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::header::HeaderName;

mod address;
mod authorities;
mod check;
mod clients;
mod effective;
mod env;
mod exceptions;
mod file;
mod identity;
mod in_effect;
mod key_set;
mod keys;
mod listener;
mod load;
mod memory_limit;
mod moment;
mod network;
mod pinned;
mod problem;
mod proxy;
mod raw;
mod roster;
mod secret;
mod shown;
mod sidecar;
mod suggest;
mod supervisor;
#[cfg(test)]
mod tests;
mod tls;
mod traces;
mod turbo;
mod units;
mod value;

pub use address::{BadPort, explicit_port, has_dot_segments};
pub use authorities::{authorities, system_authorities};
pub use clients::Clients;
pub use effective::Effective;
pub use env::Environment;
pub use exceptions::Exceptions;
pub use identity::Identity;
pub use in_effect::InEffect;
pub use key_set::{MAX_KEY_SET, key_file, key_set};
pub use keys::{KEYS, Key, Standing};
pub use listener::{Listen, Listener, Secured};
pub use load::{Flags, Loaded, load, load_sidecar};
pub use memory_limit::memory_limit;
pub use network::{Forwarders, Network, Networks};
pub use pinned::Pinned;
pub use problem::{Problem, Problems};
pub use proxy::Proxy;
pub use roster::{Claim, Grant, Issuer, KeySource, Proof, Rights, Roster, SigningAlgorithm, Token};
pub use secret::Secret;
pub use supervisor::Supervisor;
pub use tls::{ContentDigest, Reading, Remark, ServerTls, TlsContents, TlsFiles};
pub use traces::Traces;
pub use turbo::Turbo;
pub use units::{parse_duration, parse_size};

use crate::artifact::SignatureKey;

/// Everything Larder can be told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Entries, keys, remembered verdicts.
    pub data_dir: PathBuf,
    /// The data listeners.
    pub server: Server,
    /// The admin listener.
    pub admin: Admin,
    /// The origin.
    pub upstream: Upstream,
    /// Who may read a hit.
    pub access: Access,
    /// Where artifacts rest.
    pub tier: Tier,
    /// What uploads may do.
    pub upload: Upload,
    /// What is written while running.
    pub log: Log,
    /// Where traces go.
    pub traces: Traces,
}

/// The data listeners and their limits.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens as everything here and `access.mode` have it; none where only `named` do.
    pub listen: Vec<Listen>,
    /// The listeners with a table of their own, by name.
    pub named: BTreeMap<String, Listener>,
    /// Who may connect by TCP; everybody where it names nobody.
    pub allow: Networks,
    /// Whose connections begin with a PROXY header.
    pub proxy_protocol: Forwarders,
    /// The mode of unix sockets' files.
    pub socket_mode: u32,
    /// Names this server answers to where it asks for no credential.
    pub hosts: Vec<String>,
    /// A TLS handshake must be over in this time.
    pub handshake_timeout: Duration,
    /// A request's head must be whole in this time, from the first byte read after the last answer.
    pub header_timeout: Duration,
    /// How long a kept-alive connection may be silent.
    pub idle_timeout: Duration,
    /// How long a request's body may be silent.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer.
    pub stall_timeout: Duration,
    /// Bytes a second that a client sends or takes at least, over each minute; 0 for any number.
    pub min_rate: u64,
    /// Bytes of a request's head.
    pub max_head: usize,
    /// Header fields of a request.
    pub max_fields: usize,
    /// Requests at once on one connection of HTTP/2.
    pub max_streams: u32,
    /// Connections at once, over all data listeners.
    pub max_connections: usize,
    /// And of one address among them.
    pub max_connections_per_address: usize,
    /// And in a TLS handshake.
    pub max_handshakes: usize,
    /// How long after SIGTERM connections are still taken, by a process that calls itself not ready.
    pub drain_delay: Duration,
    /// Time to finish what runs after that.
    pub shutdown_grace: Duration,
    /// What is spoken over TCP; none for clear text.
    pub tls: Option<ServerTls>,
}

/// The admin listener.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Its address.
    pub listen: Listen,
    /// What changes want; made at start when absent.
    pub token: Option<Secret>,
}

/// The origin and how to reach it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The origin, or none.
    pub target: Target,
    /// Larder's own credential there, in place of its clients'.
    pub token: Option<Secret>,
    /// Own certificate authorities, PEM, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What it is shown where it asks who connects; nobody else is.
    pub identity: Option<Identity>,
    /// The HTTP proxies to reach it through.
    pub proxy: Proxy,
    /// Addresses that stand for what a look-up would find, in the order in which they are tried.
    pub resolve: Vec<Pinned>,
    /// Name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// From the request's end to the answer's head.
    pub first_byte_timeout: Duration,
    /// Between two pieces of a body.
    pub idle_timeout: Duration,
    /// Bytes a second below which a body is ended.
    pub min_rate: u64,
    /// From a fetch's turn to its head: redirects, further tries and an absence's body included.
    pub head_timeout: Duration,
    /// One question about a caller.
    pub probe_timeout: Duration,
    /// From an upload's end to its answer; also its longest wait for a turn.
    pub answer_timeout: Duration,
    /// One exchange from its turn to its last byte, either way.
    pub exchange_timeout: Duration,
    /// When it is left alone.
    pub breaker: Breaker,
    /// How long an absence is remembered; 0 for not at all.
    pub absent_ttl: Duration,
    /// Requests upstream at once.
    pub max_concurrent: usize,
    /// Whether HTTP/2 is spoken with whoever offers it in TLS.
    pub http2: bool,
    /// Further request headers that go upstream on artifact routes.
    pub forward_headers: Vec<HeaderName>,
    /// What a client sees when a read cannot be answered.
    pub on_read_failure: OnReadFailure,
}

/// When an upstream that fails is left alone.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    /// Failures in a row that open it; 0 for never.
    pub failures: usize,
    /// How long it is open before one request tries again.
    pub cooldown: Duration,
}

/// Where misses go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Vercel-compatible base URL: scheme and authority, and a path without trailing slash.
    Http(Uri),
    /// Nowhere: Larder itself is the cache.
    None,
}

/// What a client sees when the upstream cannot answer a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReadFailure {
    /// A 404, which the client takes as a plain miss.
    Miss,
    /// 502 or 504.
    Error,
}

/// Who may read a hit.
#[derive(Clone, Debug)]
pub struct Access {
    /// Who judges, where a listener has no word of its own.
    pub mode: AccessMode,
    /// The list, whoever judges; where it does, and is empty, one token is made at first start.
    pub roster: Roster,
    /// Headers that identify a caller besides `Authorization`.
    pub credential_headers: Vec<HeaderName>,
    /// How long an acceptance is remembered.
    pub verdict_ttl: Duration,
    /// How long after it was given an acceptance serves hits while the upstream cannot be asked.
    pub offline_grace: Duration,
    /// What every artifact must be signed with to be taken in; none where that is not asked.
    pub signature_key: Option<SignatureKey>,
}

/// Who judges whether a caller may read a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// The upstream, for this token and this team.
    Upstream,
    /// A list kept here.
    Tokens,
    /// Nobody: everyone who reaches the listener may.
    Open,
}

/// The tiers.
#[derive(Clone, Debug)]
pub struct Tier {
    /// In this process.
    pub memory: MemoryTier,
    /// In the data directory.
    pub disk: DiskTier,
    /// Bytes of memory for bodies on their way.
    pub in_flight: u64,
}

/// The memory tier; capacity 0 turns it off.
#[derive(Clone, Debug)]
pub struct MemoryTier {
    /// Bytes it may hold.
    pub capacity: u64,
    /// Largest artifact it admits, in bytes.
    pub max_artifact: u64,
}

/// The disk tier; capacity 0 turns it off.
#[derive(Clone, Debug)]
pub struct DiskTier {
    /// Bytes it may hold.
    pub capacity: u64,
    /// Largest artifact it admits, in bytes.
    pub max_artifact: u64,
    /// When checksums are looked at.
    pub verify: Verify,
    /// Age at which an artifact expires, in every tier.
    pub max_age: Duration,
    /// Bytes of the file system left free for others.
    pub min_free: u64,
    /// Bytes a second that are looked over for damage while nobody asks; 0 turns that off.
    pub scrub_rate: u64,
}

/// When an entry's checksums are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// On the first read by this process.
    FirstRead,
    /// On every read.
    Always,
}

/// What uploads may do.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Largest body, in bytes.
    pub max_size: u64,
    /// The client's wait.
    pub timeout: Duration,
    /// How long one that is whole may stand still upstream until its client is told.
    pub patience: Duration,
    /// What happens to an upload that cannot reach the upstream.
    pub on_failure: OnUploadFailure,
}

/// What happens to an upload that cannot reach the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUploadFailure {
    /// It is refused and leaves nothing.
    Refuse,
    /// 202, kept here only, for callers with a proven write right.
    Keep,
}

/// What is written while running.
#[derive(Clone, Debug)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// Least severe level written.
    pub level: LogLevel,
    /// Whether access lines are, to standard output: not where that is somebody else's. No key says so.
    pub access_lines: bool,
}

/// The shape of log and access lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least severe level written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words are their own explanation")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

// === impl AccessMode ===

impl AccessMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Upstream, Self::Tokens, Self::Open];

    /// The mode's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Tokens => "tokens",
            Self::Open => "open",
        }
    }
}

// === impl LogLevel ===

impl LogLevel {
    /// Every level, the most severe first.
    pub const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The level's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
