//! A listener on this machine whose connections are somebody else's business.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use crate::tasks::Tasks;

/// Listens on a port of the system's choice and runs `serve` on every connection.
///
/// Once `tasks` stop, open connections break and new ones are refused.
pub(super) async fn listen<S, F>(tasks: &Tasks, serve: S) -> io::Result<SocketAddr>
where
    S: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let connections = tasks.clone();
    until_stopped(tasks, async move {
        while let Ok((stream, _)) = listener.accept().await {
            until_stopped(&connections, serve(stream));
        }
    });
    Ok(address)
}

/// Runs `work` to its end or to that of `tasks`.
fn until_stopped(tasks: &Tasks, work: impl Future<Output = ()> + Send + 'static) {
    let stopping = tasks.clone();
    tasks.spawn(async move {
        tokio::select! {
            biased;
            () = stopping.stopping() => {}
            () = work => {}
        }
    });
}
