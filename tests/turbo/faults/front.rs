//! The front: a port before the honest origin that passes requests on until it is told to turn bad.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinSet};

use super::play::relay;
use super::port::{BlackHole, Place};
use super::request::{Kind, Request};
use super::tls::Certified;
use super::{Class, Fault};

/// The front; it ends when dropped.
pub(crate) struct Front {
    place: Place,
    tls: Place,
    certificate: String,
    stage: Arc<Stage>,
    accepting: AbortHandle,
    hole: Option<BlackHole>,
    _runtime: Runtime,
}

/// What the connections share.
struct Stage {
    origin: SocketAddr,
    class: Mutex<Option<Class>>,
    /// Every request by its path, as soon as its head is here.
    seen: Mutex<Vec<(Kind, String)>>,
}

// === impl Front ===

impl Front {
    /// Passes everything on to `origin`.
    pub(crate) fn before(origin: SocketAddr) -> Self {
        let runtime = Runtime::new().expect("a runtime for the front");
        let entered = runtime.enter();
        let (place, tls, certified) = (Place::new(), Place::new(), Certified::new());
        let certificate = certified.pem.clone();
        let stage = Arc::new(Stage {
            origin,
            class: Mutex::default(),
            seen: Mutex::default(),
        });
        let plain = accept(place.listen(), Arc::clone(&stage));
        let accepting = runtime.handle().spawn(plain).abort_handle();
        let sealed = certified.serve(tls.listen(), place.address);
        runtime.handle().spawn(sealed);
        drop(entered);
        Self {
            place,
            tls,
            certificate,
            stage,
            accepting,
            hole: None,
            _runtime: runtime,
        }
    }

    /// From now on this is wrong.
    pub(crate) fn turn(&mut self, class: Class) {
        *self.stage.class.lock() = Some(class);
        if matches!(class.fault, Fault::Refused | Fault::BlackHole) {
            self.accepting.abort();
            // The listener goes with its task.
            while !self.accepting.is_finished() {
                std::thread::yield_now();
            }
        }
        if class.fault == Fault::BlackHole {
            self.hole = Some(BlackHole::at(&self.place));
        }
    }

    /// Where clients find it, for this kind of fault.
    pub(crate) fn url(&self, fault: Fault) -> String {
        match fault {
            Fault::UnknownHost => "http://larder.invalid/api".to_owned(),
            Fault::UntrustedTls => format!("https://{}/api", self.tls.address),
            _ => format!("http://{}/api", self.place.address),
        }
    }

    /// What makes a Larder find it all the same: a proxy that knows the name, trust in the certificate.
    pub(crate) fn cure(&self, fault: Fault) -> String {
        match fault {
            Fault::UnknownHost => format!("upstream.proxy = \"http://{}\"\n", self.place.address),
            Fault::UntrustedTls => "upstream.ca_file = \"{folder}/authority.pem\"\n".to_owned(),
            _ => String::new(),
        }
    }

    /// The certificate that nobody knows, as PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Requests of all kinds.
    pub(crate) fn requests(&self) -> usize {
        self.stage.seen.lock().len()
    }

    pub(crate) fn reads(&self) -> usize {
        self.seen(Kind::Read).len()
    }

    pub(crate) fn uploads(&self) -> usize {
        self.seen(Kind::Upload).len()
    }

    /// Different artifacts among the uploads.
    pub(crate) fn uploaded(&self) -> usize {
        let uploads: HashSet<_> = self.seen(Kind::Upload).into_iter().collect();
        uploads.len()
    }

    fn seen(&self, kind: Kind) -> Vec<String> {
        let seen = self.stage.seen.lock();
        let wanted = seen.iter().filter(|(found, _)| *found == kind);
        wanted.map(|(_, path)| path.clone()).collect()
    }
}

async fn accept(listener: TcpListener, stage: Arc<Stage>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(meet(stream, Arc::clone(&stage)));
    }
}

/// One request a connection: whoever has more to ask connects again.
async fn meet(mut stream: TcpStream, stage: Arc<Stage>) -> io::Result<()> {
    let Some(request) = Request::read(&mut stream).await? else {
        return Ok(());
    };
    let seen = (request.kind(), request.path().to_owned());
    stage.seen.lock().push(seen);
    let class = *stage.class.lock();
    match class.filter(|class| class.hits(&request)) {
        None => relay(stream, &request, stage.origin).await,
        Some(class) => class.fault.play(stream, request, stage.origin).await,
    }
}
