//! Bodies that leave from their files, over real sockets of both kinds.

use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::pin::pin;
use std::task::Poll;

use http::{Method, header};
use tempfile::NamedTempFile;
use tokio::io::{Join, duplex, join, sink};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_util::io::InspectWriter;

use super::super::chooser::Agreed;
use super::super::connection;
use super::super::ration::RATION;
use super::super::socket::Socket;
use super::super::zero_copy::ZeroCopy;
use super::*;
use crate::mapped::{Backing, Map};
use crate::tasks::Tasks;

/// Larger than what both ends of a socket buffer, and no whole number of pages.
const LONG: usize = 9 * 1024 * 1024 + 123;

/// Answers with bytes of a file, in stretches of the given lengths one after the other.
struct Archive {
    map: Arc<Map>,
    lengths: Vec<usize>,
}

/// A file that is another one after it was mapped: what arrives tells by which way it came.
#[derive(Debug)]
struct TwoFaced {
    mapped: File,
    sent: File,
    asked: AtomicUsize,
}

impl Backing for TwoFaced {
    fn file(&self) -> io::Result<&File> {
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(&self.mapped),
            _ => Ok(&self.sent),
        }
    }
}

impl Archive {
    fn new(backing: impl Backing + 'static, length: usize, lengths: &[usize]) -> Arc<Self> {
        Arc::new(Self {
            map: Arc::new(Map::new(Arc::new(backing), length as u64).unwrap()),
            lengths: lengths.to_vec(),
        })
    }

    fn body(&self, length: usize, outlet: &Outlet) -> Body {
        let (map, outlet) = (Arc::clone(&self.map), outlet.clone());
        let lengths = self.lengths.clone();
        let stretches = stream::unfold((0, 0), move |(at, number)| {
            let end = length.min(at + lengths[number % lengths.len()]);
            let bytes = (at < end).then(|| outlet.offer(&map, at..end).expect("has room"));
            async move { bytes.map(|bytes| (Ok(Frame::data(bytes)), (end, number + 1))) }
        });
        StreamBody::new(stretches).boxed_unsync()
    }
}

impl Serve for Archive {
    type Body = Body;
    type Acquaintance = ();

    fn acquaint(&self, _: &Peer) {}

    async fn serve(
        &self,
        request: Request<RequestBody>,
        _: Peer,
        (): &(),
        outlet: Option<&Outlet>,
    ) -> Response<Body> {
        let length: usize = request.uri().path().trim_matches('/').parse().unwrap();
        let mut response = Response::new(self.body(length, outlet.unwrap()));
        if request.method() != Method::POST {
            let length = length.into();
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, length);
        }
        response
    }

    fn fault(&self) -> Response<Body> {
        whole("fault")
    }
}

/// Bytes none of which tells where it is, but each stretch of some length does.
fn pattern(length: usize, mut seed: u64) -> Vec<u8> {
    let words = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    });
    words.take(length).collect()
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

async fn tcp() -> (TcpStream, Socket) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await;
    (
        near.unwrap(),
        Socket::Tcp(listener.accept().await.unwrap().0),
    )
}

fn unix() -> (UnixStream, Socket) {
    let (near, far) = UnixStream::pair().unwrap();
    (near, Socket::Unix(far))
}

async fn run(archive: Arc<Archive>, socket: Socket) {
    let outlet = Outlet::default();
    let io = ZeroCopy::new(socket, outlet.clone());
    connection::run(
        in_clear_text(io, Some(outlet), &limits()),
        archive,
        limits(),
        &Tasks::new(),
    )
    .await;
}

fn get(length: usize) -> Vec<u8> {
    format!("GET /{length} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes()
}

/// Takes a body of `length` bytes in pieces of at most `piece`.
async fn take<I: AsyncRead + Unpin>(io: &mut I, length: usize, piece: usize) -> Vec<u8> {
    let mut taken = vec![0; length];
    for piece in taken.chunks_mut(piece) {
        io.read_exact(piece).await.unwrap();
    }
    taken
}

async fn nothing_is_copied<I>(mut io: I, socket: Socket)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (mapped, sent) = (pattern(LONG, 1), pattern(LONG, 2));
    let files = TwoFaced {
        mapped: file_of(&mapped),
        sent: file_of(&sent),
        asked: AtomicUsize::new(0),
    };
    let archive = Archive::new(files, LONG, &[1024 * 1024]);
    let client = async move {
        io.write_all(&get(LONG)).await.unwrap();
        read_head(&mut io).await;
        assert!(take(&mut io, LONG, LONG).await == sent, "other bytes");
    };
    tokio::join!(client, run(archive, socket));
}

#[tokio::test]
async fn bytes_of_a_file_pass_from_it_to_either_kind_of_socket_unread() {
    let (near, far) = tcp().await;
    nothing_is_copied(near, far).await;
    let (near, far) = unix();
    nothing_is_copied(near, far).await;
}

/// Asks for bodies of all kinds of lengths at once, and takes them in pieces of all kinds of lengths.
async fn all_of_it_arrives<I>(mut io: I, socket: Socket)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let all = pattern(LONG, 3);
    let lengths = [1, 70_000, 4096, 1024 * 1024, 65_535, 12, 300_001];
    let archive = Archive::new(file_of(&all), LONG, &lengths);
    let client = async move {
        for (number, piece) in [1000, 65_536, 7, 1 << 20].into_iter().enumerate() {
            let bodies = [1 + number, 70_001, 1_500_000, LONG >> (2 * number), 3];
            let asked: Vec<_> = bodies.iter().flat_map(|length| get(*length)).collect();
            io.write_all(&asked).await.unwrap();
            for length in bodies {
                let head = read_head(&mut io).await;
                assert!(head.contains(&format!("content-length: {length}\r\n")));
                let taken = take(&mut io, length, piece).await;
                assert!(taken == all[..length], "{length} in pieces of {piece}");
            }
        }
    };
    tokio::join!(client, run(archive, socket));
}

#[tokio::test]
async fn bodies_from_files_arrive_whole_one_after_the_other_however_they_are_taken() {
    let (near, far) = tcp().await;
    all_of_it_arrives(near, far).await;
    let (near, far) = unix();
    all_of_it_arrives(near, far).await;
}

#[tokio::test]
async fn a_body_of_a_file_may_have_no_length_or_be_left_out() {
    let all = pattern(LONG, 4);
    let archive = Archive::new(file_of(&all), LONG, &[100_000]);
    let (mut io, far) = tcp().await;
    let client = async move {
        let head = b"HEAD /500 HTTP/1.1\r\nhost: x\r\n\r\n";
        let chunked = b"POST /250000 HTTP/1.1\r\nhost: x\r\n\r\n";
        io.write_all(&[&head[..], chunked].concat()).await.unwrap();
        assert!(read_head(&mut io).await.contains("content-length: 500\r\n"));
        assert!(read_head(&mut io).await.contains("chunked"));
        let framed = [
            &b"186A0\r\n"[..],
            &all[..100_000],
            b"\r\n186A0\r\n",
            &all[100_000..200_000],
            b"\r\nC350\r\n",
            &all[200_000..250_000],
            b"\r\n0\r\n\r\n",
        ];
        let framed = framed.concat();
        assert!(take(&mut io, framed.len(), 50_000).await == framed);
    };
    tokio::join!(client, run(archive, far));
}

#[tokio::test]
async fn a_file_that_is_cut_while_it_leaves_breaks_the_body() {
    let named = NamedTempFile::new().unwrap();
    named.as_file().write_all(&pattern(LONG, 5)).unwrap();
    let archive = Archive::new(named.reopen().unwrap(), LONG, &[1024 * 1024]);
    let (mut io, far) = unix();
    let map = Arc::clone(&archive.map);
    let client = async move {
        io.write_all(&get(LONG)).await.unwrap();
        read_head(&mut io).await;
        named.as_file().set_len(1000).unwrap();
        let mut rest = Vec::new();
        // Whether the end is a reset depends on what else is under way.
        io.read_to_end(&mut rest).await.ok();
        assert!(rest.len() < LONG);
    };
    tokio::join!(client, run(archive, far));
    assert!(
        map.bytes(0..1).is_none(),
        "whoever comes next is to read it"
    );
}

impl<R, W> Agreed for Join<R, W> {}

#[tokio::test]
async fn no_turn_of_a_connection_sends_more_than_its_ration() {
    let archive = Archive::new(file_of(&pattern(LONG, 7)), LONG, &[1024 * 1024]);
    let sent = Arc::new(AtomicUsize::new(0));
    let count = {
        let sent = Arc::clone(&sent);
        move |bytes: &[u8]| {
            sent.fetch_add(bytes.len(), Ordering::Relaxed);
        }
    };
    // A client that takes whatever it is sent at once.
    let (mut near, far) = duplex(1024);
    near.write_all(&get(LONG)).await.unwrap();
    let io = join(far, InspectWriter::new(sink(), count));
    let accepted = in_clear_text(io, Some(Outlet::default()), &limits());
    let tasks = Tasks::new();
    let mut connection = pin!(connection::run(accepted, archive, limits(), &tasks));
    let mut turns = Vec::new();
    poll_fn(|cx| {
        assert!(connection.as_mut().poll(cx).is_pending());
        turns.push(sent.swap(0, Ordering::Relaxed));
        if turns.iter().sum::<usize>() < LONG {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    assert_eq!(turns.into_iter().max(), Some(RATION));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_a_file_is_cut() {
    let archive = Archive::new(file_of(&pattern(LONG, 6)), LONG, &[1024 * 1024]);
    let (mut near, far) = unix();
    near.write_all(&get(LONG)).await.unwrap();
    let start = Instant::now();
    run(archive, far).await;
    assert_eq!(start.elapsed().as_secs(), limits().stall_timeout.as_secs());
    assert!(read_rest(&mut near).await.len() < LONG);
}
