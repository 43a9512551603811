//! A slow line: TCP connections relayed to an address, late and at a limited pace.
//!
//! It knows bytes, never requests. Losses and slow starts are not simulated.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that pass as one: what a packet holds, so that connections share the line evenly.
const PIECE: usize = 1460;
/// Pieces of one connection under way at once, more than a line here holds; beyond, the sender waits.
const UNDER_WAY: usize = 256;
/// How late the line may be used without loss of throughput: a few turns of the runtime's clock.
const CREDIT: Duration = Duration::from_millis(20);

/// A line, entered by connecting to its address; cut when dropped.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    _relaying: JoinSet<()>,
}

/// How wide a line is, and how far away its other end.
#[derive(Clone, Copy, Debug)]
pub struct Width {
    /// There and back.
    pub round_trip: Duration,
    /// In each direction, for all connections together.
    pub bytes_per_second: u32,
}

/// One direction, shared by all connections.
#[derive(Debug)]
struct Lane {
    width: Width,
    free_at: Mutex<Instant>,
}

/// Some bytes and when they come out at the far end.
type Piece = (Instant, Vec<u8>);

// === impl Line ===

impl Line {
    /// Lays a line to `far`.
    pub async fn to(far: SocketAddr, width: Width) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a bound socket");
        let mut relaying = JoinSet::new();
        relaying.spawn(accept(listener, far, width));
        Self {
            address,
            _relaying: relaying,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

// === impl Lane ===

impl Lane {
    fn new(width: Width) -> Self {
        Self {
            width,
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Books the line for `bytes`, behind whatever was booked before; returns when they are on it.
    fn book(&self, bytes: usize) -> Instant {
        let bytes = u32::try_from(bytes).expect("a piece");
        let now = Instant::now();
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let mut free_at = self.free_at.lock();
        let time = Duration::from_secs(1) * bytes / self.width.bytes_per_second;
        *free_at = (*free_at).max(earliest) + time;
        (*free_at).max(now)
    }
}

async fn accept(listener: TcpListener, far: SocketAddr, width: Width) {
    let lanes = [Arc::new(Lane::new(width)), Arc::new(Lane::new(width))];
    let mut relays = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let lanes = lanes.clone();
        relays.spawn(async move {
            // One that broke is over like one that ended; the sockets go either way.
            relay(near, far, &lanes).await.ok();
        });
    }
}

async fn relay(near: TcpStream, far: SocketAddr, [up, down]: &[Arc<Lane>; 2]) -> io::Result<()> {
    // Loopback connects at once; over a line that takes a round trip.
    sleep(up.width.round_trip).await;
    let far = TcpStream::connect(far).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::try_join!(carry(near_in, far_out, up), carry(far_in, near_out, down))?;
    Ok(())
}

/// Carries one direction of one connection to its end.
async fn carry<R, W>(from: R, to: W, lane: &Lane) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (entry, exit) = mpsc::channel(UNDER_WAY);
    tokio::try_join!(depart(from, entry, lane), arrive(exit, to))?;
    Ok(())
}

/// Puts one piece after the other on the line: every connection waits for its turn with one.
async fn depart<R>(mut from: R, entry: mpsc::Sender<Piece>, lane: &Lane) -> io::Result<()>
where
    R: AsyncRead + Unpin,
{
    loop {
        let mut piece = vec![0; PIECE];
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        piece.truncate(read);
        let passed = lane.book(read);
        sleep_until(passed).await;
        let due = passed + lane.width.round_trip / 2;
        if entry.send((due, piece)).await.is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
}

async fn arrive<W>(mut exit: mpsc::Receiver<Piece>, mut to: W) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    while let Some((due, piece)) = exit.recv().await {
        sleep_until(due).await;
        to.write_all(&piece).await?;
    }
    to.shutdown().await
}
