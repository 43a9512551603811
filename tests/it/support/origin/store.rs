//! What the origin does where no script says otherwise: the artifacts API over a map.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Seen;
use super::guard::Guard;
use super::script::Answer;

/// Artifacts by query and hash; by token where the query names no team.
#[derive(Debug, Default)]
pub struct Store {
    pub guard: Guard,
    artifacts: HashMap<(String, String), Artifact>,
}

/// A body and the fields that come with it.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    body: Vec<u8>,
    fields: Vec<(String, String)>,
}

// === impl Store ===

impl Store {
    pub fn hold(&mut self, token: &str, query: &str, hash: &str, artifact: Artifact) {
        self.artifacts.insert(key(token, query, hash), artifact);
    }

    pub(super) fn answer(&mut self, seen: &Seen) -> Answer {
        let Some((_, below)) = seen.path().split_once("/v8/artifacts") else {
            return json_answer(200, &json!({ "passed": seen.target() }));
        };
        if let Some(status) = self.guard.refusal(seen) {
            return refusal(status);
        }
        match (seen.method(), below.trim_start_matches('/')) {
            ("GET", "status") => json_answer(200, &json!({ "status": "enabled" })),
            ("POST", "") => self.batch(seen),
            ("POST", "events") => json_answer(200, &json!({})),
            ("PUT", hash) => self.store(seen, hash),
            ("GET" | "HEAD", hash) => self.fetch(seen, hash),
            _ => refusal(405),
        }
    }

    fn find(&self, seen: &Seen, hash: &str) -> Option<&Artifact> {
        self.artifacts.get(&key(seen.token(), seen.query(), hash))
    }

    fn fetch(&self, seen: &Seen, hash: &str) -> Answer {
        let Some(artifact) = self.find(seen, hash) else {
            return refusal(404);
        };
        let answer = Answer::new(200).headers(&artifact.fields);
        match seen.method() {
            "HEAD" => answer.length(artifact.body.len()),
            _ => answer.bytes(artifact.body.clone()),
        }
    }

    fn store(&mut self, seen: &Seen, hash: &str) -> Answer {
        let replayed = |name: &str| name == "content-type" || name.starts_with("x-artifact-");
        let fields = seen
            .head
            .headers
            .iter()
            .filter(|(name, _)| replayed(name))
            .cloned()
            .collect();
        let artifact = Artifact {
            body: seen.body.clone(),
            fields,
        };
        self.hold(seen.token(), seen.query(), hash, artifact);
        json_answer(202, &json!({ "urls": [format!("acme/{hash}")] }))
    }

    fn batch(&self, seen: &Seen) -> Answer {
        let asked: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let mut found = serde_json::Map::new();
        for hash in asked["hashes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let said = self.find(seen, hash).map(Artifact::describe);
            found.insert(hash.to_owned(), said.unwrap_or_default());
        }
        json_answer(200, &Value::Object(found))
    }
}

// === impl Artifact ===

impl Artifact {
    /// Adds a field that comes with the body.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What a batch says of it.
    fn describe(&self) -> Value {
        let field = |name: &str| self.fields.iter().find(|(known, _)| known == name);
        let duration = field("x-artifact-duration").and_then(|(_, value)| value.parse().ok());
        let mut described =
            json!({ "size": self.body.len(), "taskDurationMs": duration.unwrap_or(7_u64) });
        if let Some((_, tag)) = field("x-artifact-tag") {
            described["tag"] = json!(tag);
        }
        described
    }
}

impl From<&[u8]> for Artifact {
    fn from(body: &[u8]) -> Self {
        let fields = vec![(
            "content-type".to_owned(),
            "application/octet-stream".to_owned(),
        )];
        Self {
            body: body.to_vec(),
            fields,
        }
    }
}

impl From<&Vec<u8>> for Artifact {
    fn from(body: &Vec<u8>) -> Self {
        Self::from(body.as_slice())
    }
}

/// Where an artifact is: under its query, or with its token where that names no team.
fn key(token: &str, query: &str, hash: &str) -> (String, String) {
    let names_team = query.contains("teamId=") || query.contains("slug=");
    let space = if names_team {
        in_order(query)
    } else {
        format!("own:{token}")
    };
    (space, hash.to_owned())
}

/// A query sorted by name: no server minds the order of different parameters.
fn in_order(query: &str) -> String {
    let mut parts: Vec<_> = query.split('&').collect();
    parts.sort_by_key(|part| part.split('=').next());
    parts.join("&")
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::new(status).text("application/json", body.to_string())
}

fn refusal(status: u16) -> Answer {
    let code = match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        _ => "refused",
    };
    json_answer(
        status,
        &json!({ "error": { "code": code, "message": "Says the origin." } }),
    )
}
