//! The collector of traces: one connection to it at a time, made when it is needed.
//!
//! It is reached straight, and by nothing of what is configured for the upstream. What is sent there
//! is not its business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::otlp;
use crate::config;
use crate::tasks::Tasks;

/// Bytes of an answer that are read: it holds a number and a sentence.
const MAX_ANSWER: usize = 64 * 1024;

/// How long such an answer may take once its head is here, which says what became of the spans. Without it a
/// collector that drips would be sent them again although it has them.
const ANSWERING: Duration = Duration::from_secs(2);

/// Who sends.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("larder/", env!("CARGO_PKG_VERSION")));
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Where spans are delivered.
pub(super) struct Collector {
    host: String,
    port: u16,
    /// None in clear text.
    tls: Option<TlsConnector>,
    target: PathAndQuery,
    headers: HeaderMap,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// Why a delivery failed, for people.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// It may go better soon.
    Perhaps(String),
    /// It would end like this again.
    Never(String),
}

/// There is no connection.
#[derive(Debug, thiserror::Error)]
enum Unconnected {
    #[error("no connection: {0}")]
    Tcp(std::io::Error),
    #[error("no TLS: {0}")]
    Tls(std::io::Error),
    #[error("its name is none that a certificate can be for")]
    Name,
    #[error("no HTTP: {0}")]
    Http(hyper::Error),
}

// === impl Collector ===

impl Collector {
    /// Connects to nothing yet.
    pub(super) fn new(
        url: &Uri,
        further: &[(HeaderName, HeaderValue)],
    ) -> Result<Self, rustls::Error> {
        let is_secure = url.scheme() == Some(&Scheme::HTTPS);
        let usual = if is_secure { 443 } else { 80 };
        let mut headers = HeaderMap::new();
        if let Some(host) = url
            .authority()
            .and_then(|it| HeaderValue::try_from(it.as_str()).ok())
        {
            headers.insert(HOST, host);
        }
        headers.insert(CONTENT_TYPE, PROTOBUF);
        for (name, value) in further {
            headers.append(name, value.clone());
        }
        headers.entry(USER_AGENT).or_insert(AGENT);
        let bare = url.host().unwrap_or_default().trim_matches(['[', ']']);
        Ok(Self {
            host: bare.to_owned(),
            port: url.port_u16().unwrap_or(usual),
            tls: is_secure.then(tls).transpose()?,
            target: url
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
            headers,
            connection: None,
        })
    }

    /// Sends one request, and returns how many of its spans were not taken. Dropped before that, it takes the connection
    /// along.
    pub(super) async fn send(&mut self, body: Bytes, tasks: &Tasks) -> Result<u64, Undelivered> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => self
                .connect(tasks)
                .await
                .map_err(|error| Undelivered::Perhaps(error.to_string()))?,
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone().into();
        request.headers_mut().clone_from(&self.headers);
        let broken =
            |error: hyper::Error| Undelivered::Perhaps(format!("the connection broke: {error}"));
        connection.ready().await.map_err(broken)?;
        let response = connection.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let answer = read(response.into_body()).await;
        // What is left of a longer answer stands before the next.
        self.connection = answer.is_some().then_some(connection);
        match status {
            200..=299 => Ok(otlp::rejected(&answer.unwrap_or_default())),
            // As OTLP has it; any other says that the request is wrong.
            429 | 502..=504 => Err(Undelivered::Perhaps(format!("status {status}"))),
            _ => Err(Undelivered::Never(format!("status {status}"))),
        }
    }

    async fn connect(&self, tasks: &Tasks) -> Result<SendRequest<Full<Bytes>>, Unconnected> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port));
        let tcp = tcp.await.map_err(Unconnected::Tcp)?;
        match &self.tls {
            None => speak(tcp, tasks).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone());
                let name = name.map_err(|_| Unconnected::Name)?;
                let secured = tls.connect(name, tcp).await.map_err(Unconnected::Tls)?;
                speak(secured, tasks).await
            }
        }
    }
}

/// Without the headers: there may be a credential among them.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Trusts whom the system trusts. The provider is named, not looked up.
fn tls() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(config::system_authorities().0)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(tls)))
}

/// HTTP/1.1, which every collector speaks; the connection is driven until it is let go.
async fn speak<I>(io: I, tasks: &Tasks) -> Result<SendRequest<Full<Bytes>>, Unconnected>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(io))
        .await
        .map_err(Unconnected::Http)?;
    tasks.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the collector of traces broke");
        }
    });
    Ok(sender)
}

/// An answer's body, if it is whole, short and here soon.
async fn read(body: Incoming) -> Option<Bytes> {
    let whole = timeout(ANSWERING, Limited::new(body, MAX_ANSWER).collect()).await;
    Some(whole.ok()?.ok()?.to_bytes())
}
