//! A simulated wide-area line: TCP connections relayed to the origin, late and at a limited pace.
//!
//! It knows bytes, never requests. Losses and slow starts are not simulated.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep, sleep_until};

use super::loopback;
use crate::tasks::Tasks;

/// Bytes that pass as one: small enough for connections to share the line evenly.
const PIECE: usize = 16 * 1024;

/// Pieces of one connection under way at once, more than the line holds; beyond, the sender waits.
const UNDER_WAY: usize = 64;

/// How late the line may be used without loss of throughput: a few turns of the runtime's clock.
const CREDIT: Duration = Duration::from_millis(10);

/// Time for relays to end once the line is cut.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// How far away the other end is, and how wide the line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// There and back.
    pub(super) round_trip: Duration,
    /// In each direction, for all connections together.
    pub(super) bits_per_second: u64,
}

/// A line to the origin, entered by connecting to its address.
#[derive(Debug)]
pub(super) struct Wan {
    address: SocketAddr,
    up: Arc<Lane>,
    down: Arc<Lane>,
    tasks: Tasks,
}

/// One direction, shared by all connections.
#[derive(Debug)]
struct Lane {
    line: Line,
    free_at: Mutex<Instant>,
    carried: AtomicU64,
}

/// Some bytes and when they come out at the far end.
type Piece = (Instant, BytesMut);

// === impl Line ===

impl Line {
    fn delay(self) -> Duration {
        self.round_trip / 2
    }

    fn time_for(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.bits_per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

// === impl Wan ===

impl Wan {
    /// Lays the line to `origin`.
    pub(super) async fn lay(origin: SocketAddr, line: Line) -> io::Result<Self> {
        let (up, down) = (Arc::new(Lane::new(line)), Arc::new(Lane::new(line)));
        let (tasks, lanes) = (Tasks::new(), [Arc::clone(&up), Arc::clone(&down)]);
        let address = loopback::listen(&tasks, move |near| {
            let [up, down] = lanes.clone();
            async move {
                if let Err(error) = relay(near, origin, &up, &down).await {
                    tracing::debug!(%error, "a connection over the simulated line broke");
                }
            }
        });
        Ok(Self {
            address: address.await?,
            up,
            down,
            tasks,
        })
    }

    /// Where its near end is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes carried so far, both ways.
    pub(super) fn carried(&self) -> u64 {
        self.up.carried() + self.down.carried()
    }

    /// Cuts it: open connections break, new ones are refused.
    pub(super) async fn cut(&self) {
        self.tasks.stop();
        self.tasks.drain(CUT_GRACE).await;
    }
}

// === impl Lane ===

impl Lane {
    fn new(line: Line) -> Self {
        Self {
            line,
            free_at: Mutex::new(Instant::now()),
            carried: AtomicU64::new(0),
        }
    }

    fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Books the line for `bytes`, behind whatever was booked before; returns when they are on it.
    fn book(&self, bytes: usize) -> Instant {
        let bytes = bytes as u64;
        let now = Instant::now();
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        self.carried.fetch_add(bytes, Ordering::Relaxed);
        let mut free_at = self.free_at.lock();
        *free_at = (*free_at).max(earliest) + self.line.time_for(bytes);
        (*free_at).max(now)
    }
}

async fn relay(near: TcpStream, origin: SocketAddr, up: &Lane, down: &Lane) -> io::Result<()> {
    // Loopback connects at once; over a line that takes a round trip.
    sleep(up.line.round_trip).await;
    let far = TcpStream::connect(origin).await?;
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

async fn depart<R>(mut from: R, entry: mpsc::Sender<Piece>, lane: &Lane) -> io::Result<()>
where
    R: AsyncRead + Unpin,
{
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        if from.read_buf(&mut piece).await? == 0 {
            return Ok(());
        }
        let passed = lane.book(piece.len());
        sleep_until(passed).await;
        if entry
            .send((passed + lane.line.delay(), piece))
            .await
            .is_err()
        {
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::duplex;
    use tokio::net::TcpListener;

    use super::*;

    /// 60 ms and 8 Mbit/s: a thousand bytes a millisecond.
    const LINE: Line = Line {
        round_trip: Duration::from_millis(60),
        bits_per_second: 8_000_000,
    };

    /// The runtime's clock ticks in milliseconds, and every piece may wait for a tick.
    const TICKS: Duration = Duration::from_millis(3);

    /// Sends `bytes` over `lane`; returns when the first and the last of them arrived.
    async fn send(lane: &Lane, bytes: usize) -> (Instant, Instant) {
        let (mut client, near) = duplex(PIECE);
        let (far, mut origin) = duplex(PIECE);
        let write = async {
            client.write_all(&vec![7; bytes]).await.unwrap();
            drop(client);
        };
        let read = async {
            let mut first = [0];
            origin.read_exact(&mut first).await.unwrap();
            let began = Instant::now();
            let mut rest = Vec::new();
            origin.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, vec![7; bytes - 1]);
            (began, Instant::now())
        };
        let (carried, (), arrivals) = tokio::join!(carry(near, far, lane), write, read);
        carried.unwrap();
        arrivals
    }

    fn assert_near(took: Duration, expected: Duration) {
        assert!(
            took >= expected && took <= expected + TICKS,
            "{took:?}, not {expected:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_takes_half_the_round_trip() {
        let (lane, start) = (Lane::new(LINE), Instant::now());
        let (first, _) = send(&lane, 1).await;
        assert_near(first - start, LINE.round_trip / 2);
        assert_eq!(lane.carried(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_bytes_arrive_at_the_pace_of_the_line() {
        let (lane, start) = (Lane::new(LINE), Instant::now());
        let (_, last) = send(&lane, 1_000_000).await;
        assert_near(last - start, Duration::from_secs(1) + LINE.round_trip / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_share_the_line_evenly() {
        let (lane, start) = (Lane::new(LINE), Instant::now());
        let ((_, one), (_, other)) = tokio::join!(send(&lane, 500_000), send(&lane, 500_000));
        let last = one.max(other);
        assert_near(last - start, Duration::from_secs(1) + LINE.round_trip / 2);
        assert!(last - one.min(other) < Duration::from_millis(40));
    }

    #[tokio::test]
    async fn a_cut_line_breaks_connections_and_refuses_new_ones() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let line = Line {
            round_trip: Duration::ZERO,
            bits_per_second: u64::MAX,
        };
        let wan = Wan::lay(listener.local_addr().unwrap(), line)
            .await
            .unwrap();
        let mut client = TcpStream::connect(wan.address()).await.unwrap();
        let (mut origin, _) = listener.accept().await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let mut received = [0; 4];
        origin.read_exact(&mut received).await.unwrap();
        assert_eq!((&received, wan.carried()), (b"ping", 4));

        wan.cut().await;
        assert!(!matches!(client.read(&mut received).await, Ok(read) if read > 0));
        assert!(!matches!(origin.read(&mut received).await, Ok(read) if read > 0));
        let refused = TcpStream::connect(wan.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
