//! Asks the upstream what a build would ask it, once each.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request};
use tokio::time::Instant;

use super::answers::{self, Answered};
use super::finding::{Check, Finding, Verdict};
use super::report::Report;
use super::{line, stored};
use crate::cli::credential::Credential;
use crate::upstream::Way;

/// Bytes of the artifact that a trial uploads.
const TRIAL: usize = 4096;

/// Who asks, and where.
pub(super) struct Asking<'a> {
    pub(super) way: &'a Way,
    pub(super) credential: &'a Credential,
    /// What TLS has agreed on for behind it.
    pub(super) protocol: Option<String>,
}

/// An artifact that nobody else has, and that is worth nothing.
struct Trial {
    hash: String,
    body: Bytes,
    headers: HeaderMap,
}

// === impl Asking ===

impl Asking<'_> {
    /// Asks whatever writes nothing.
    pub(super) async fn read(&self, report: &mut Report) -> anyhow::Result<()> {
        let has_token = self.credential.token.is_some();
        let hash = random::<8>().map(|bytes| HEXLOWER.encode(&bytes))?;
        let (status, took) = self.get(Method::GET, "/v8/artifacts/status").await;
        self.note_connection(report, &status);
        report.add(
            Check::Status,
            answers::status(&status, has_token),
            Some(took),
        );
        let (head, took) = self.rights(&hash).await;
        let rights = answers::rights(&head, &status, has_token);
        report.add(Check::Rights, rights, Some(took));
        let asked = format!(r#"{{"hashes":["{hash}"]}}"#);
        let (batch, took) = self.post("/v8/artifacts", asked).await;
        report.add(Check::Batch, answers::batch(&batch), Some(took));
        // An empty list of events leaves nothing behind.
        let (events, took) = self.post("/v8/artifacts/events", "[]".to_owned()).await;
        report.add(Check::Events, answers::events(&events), Some(took));
        Ok(())
    }

    fn note_connection(&self, report: &mut Report, answered: &Answered) {
        let Ok(told) = answered else {
            for check in [Check::Http, Check::Clock] {
                report.add(check, Finding::not_tried("no answer came"), None);
            }
            return;
        };
        let http = answers::http(told.version, self.protocol.as_deref());
        report.add(Check::Http, http, None);
        let date = told.headers.get(DATE).and_then(|date| date.to_str().ok());
        report.add(Check::Clock, line::clock(date, SystemTime::now()), None);
    }

    /// By a `HEAD`, or where that is not understood by a `GET`.
    async fn rights(&self, hash: &str) -> (Answered, Duration) {
        let path = format!("/v8/artifacts/{hash}");
        let asked = self.get(Method::HEAD, &path).await;
        match &asked.0 {
            Ok(told) if matches!(told.status, 405 | 501) => self.get(Method::GET, &path).await,
            _ => asked,
        }
    }

    /// Uploads an artifact and looks what becomes of it.
    pub(super) async fn write(&self, report: &mut Report) -> anyhow::Result<()> {
        let trial = Trial::new()?;
        let path = format!("/v8/artifacts/{}", trial.hash);
        let has_token = self.credential.token.is_some();
        let (put, took) = self.put(&path, &trial).await;
        let upload = stored::upload(&put, has_token);
        let is_taken = upload.verdict == Verdict::Ok;
        report.add(Check::Upload, upload, Some(took));
        if is_taken {
            self.look(report, &path, &trial).await;
        } else {
            for check in [Check::Description, Check::Download, Check::Headers] {
                report.add(check, Finding::not_tried("nothing was taken"), None);
            }
        }
        if is_taken || put.is_err() {
            let (removed, took) = self.get(Method::DELETE, &path).await;
            report.add(
                Check::Removal,
                stored::removal(&removed, &trial.hash),
                Some(took),
            );
        }
        Ok(())
    }

    /// Looks what comes back of an upload that was taken.
    async fn look(&self, report: &mut Report, path: &str, trial: &Trial) {
        let (head, took) = self.get(Method::HEAD, path).await;
        report.add(Check::Description, stored::description(&head), Some(took));
        let (get, took) = self.get(Method::GET, path).await;
        report.add(
            Check::Download,
            stored::download(&get, &trial.body),
            Some(took),
        );
        let headers = match &get {
            Ok(told) if told.status == 200 => stored::headers(told, &trial.headers),
            _ => Finding::not_tried("nothing came back"),
        };
        report.add(Check::Headers, headers, None);
    }

    async fn put(&self, path: &str, trial: &Trial) -> (Answered, Duration) {
        let mut request = Request::new(trial.body.clone());
        *request.method_mut() = Method::PUT;
        let length = HeaderValue::from(trial.body.len());
        self.ask(request, path, &trial.headers, Some(length)).await
    }

    async fn post(&self, path: &str, body: String) -> (Answered, Duration) {
        let length = HeaderValue::from(body.len());
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        self.ask(request, path, &headers, Some(length)).await
    }

    async fn get(&self, method: Method, path: &str) -> (Answered, Duration) {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        self.ask(request, path, &HeaderMap::new(), None).await
    }

    async fn ask(
        &self,
        mut request: Request<Bytes>,
        path: &str,
        headers: &HeaderMap,
        length: Option<HeaderValue>,
    ) -> (Answered, Duration) {
        *request.headers_mut() = self.credential.headers(headers);
        if let Some(length) = length {
            request.headers_mut().insert(CONTENT_LENGTH, length);
        }
        // A query of ours is always one.
        *request.uri_mut() = self.credential.target(path).parse().unwrap_or_default();
        let begun = Instant::now();
        (self.way.ask(&request).await, begun.elapsed())
    }
}

// === impl Trial ===

impl Trial {
    fn new() -> anyhow::Result<Self> {
        let text = |text: String| HeaderValue::try_from(text);
        let tag = BASE64.encode(&random::<32>()?);
        let sha = HEXLOWER.encode(&random::<20>()?);
        let headers = [
            ("x-artifact-duration", text("1234".to_owned())?),
            ("x-artifact-tag", text(tag)?),
            ("x-artifact-sha", text(sha)?),
        ];
        let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
        let mut headers = HeaderMap::from_iter(headers);
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        Ok(Self {
            hash: HEXLOWER.encode(&random::<8>()?),
            body: Bytes::copy_from_slice(&random::<TRIAL>()?),
            headers,
        })
    }
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
