//! `POST` to the artifacts root: which of these exist? Passed through, or answered standalone.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Acquaintance, Here, Proxy, ProxyError, Reply, Served};
use crate::access::{Admitted, Right};
use crate::artifact::{Answer, ArtifactHash, Failure, Meta, Outcome};

/// Most hashes one request asks about, as the API has it.
const MAX_HASHES: usize = 100;

#[derive(Deserialize)]
struct Batch {
    hashes: Vec<String>,
}

impl Proxy {
    /// Says which artifacts exist.
    pub async fn batch(
        self: &Arc<Self>,
        head: &Parts,
        admitted: &Admitted,
        client: &Acquaintance,
        body: Bytes,
    ) -> Result<Served, ProxyError> {
        if self.upstream.is_none() {
            return self.batch_here(head, client, &body).await;
        }
        let answer = self
            .ask_upstream(head, admitted, body)
            .await?
            .map_err(ProxyError::BatchUnanswered)?;
        Ok(Served {
            outcome: Outcome::Passed,
            reply: Reply::Relayed(answer),
        })
    }

    /// Passes a small request on and takes the small answer.
    pub(super) async fn ask_upstream(
        &self,
        head: &Parts,
        admitted: &Admitted,
        body: Bytes,
    ) -> Result<Result<Answer, Failure>, ProxyError> {
        let request = self.forwarded(head, admitted, body)?;
        Ok(match self.upstream.ask(request).await {
            Ok(answer) => admitted.misfortune(&answer).map_or(Ok(answer), Err),
            failed => failed,
        })
    }

    async fn batch_here(
        self: &Arc<Self>,
        head: &Parts,
        client: &Acquaintance,
        body: &Bytes,
    ) -> Result<Served, ProxyError> {
        let Ok(Batch { hashes }) = serde_json::from_slice(body) else {
            return Err(ProxyError::BadBody("the body is {\"hashes\": [..]}"));
        };
        if hashes.len() > MAX_HASHES {
            return Err(ProxyError::BadBody("at most 100 hashes in one request"));
        }
        let mut found = Map::new();
        for hash in hashes {
            let described = self.describe_for_batch(head, &hash, client).await?;
            found.insert(hash, described);
        }
        let reply = Reply::Here(Here::Exist(Value::Object(found).to_string().into()));
        Ok(Served {
            outcome: Outcome::Answered,
            reply,
        })
    }

    async fn describe_for_batch(
        &self,
        head: &Parts,
        hash: &str,
        client: &Acquaintance,
    ) -> Result<Value, ProxyError> {
        let Ok(hash) = ArtifactHash::parse(hash) else {
            return Ok(
                json!({ "error": { "message": "an artifact hash is 1 to 512 letters, digits, '-' or '_'" } }),
            );
        };
        let ask = self
            .name(&mut head.clone(), hash, Right::Read, client)
            .await?;
        if self.is_held(&ask) {
            return Ok(Value::Null);
        }
        let Some(found) = self.tiers.lookup(&ask.key.digest).await else {
            return Ok(Value::Null);
        };
        Ok(found
            .meta()
            .await
            .map_or(Value::Null, |meta| describe(&meta)))
    }
}

fn describe(meta: &Meta) -> Value {
    let fields = &meta.label.fields;
    let millis = fields.duration().map_or(0, |duration| duration.as_millis());
    let mut described =
        json!({ "size": meta.size, "taskDurationMs": u64::try_from(millis).unwrap_or(u64::MAX) });
    let tag = fields
        .as_map()
        .get("x-artifact-tag")
        .and_then(|tag| tag.to_str().ok());
    if let (Some(tag), Some(map)) = (tag, described.as_object_mut()) {
        map.insert("tag".to_owned(), Value::from(tag));
    }
    described
}
