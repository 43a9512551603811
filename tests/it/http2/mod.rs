//! HTTP/2 with clients: everything as over HTTP/1.1, and what requests on one connection may cost each other.

mod life;
mod routes;
mod streams;

use crate::support::{Certificate, Larder, Origin, Setup};

/// One Larder before `origin` for each way to HTTP/2: by prior knowledge, and agreed on in TLS.
async fn each_way(origin: &Origin) -> [Larder; 2] {
    let clear = Setup::before(origin).start().await;
    let secured = Setup::before(origin).secured(&Certificate::new());
    [clear, secured.start().await]
}
