//! What the origin does where no script says otherwise: the artifacts API over a map.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Seen;
use super::script::Answer;

/// Artifacts by raw query and hash; by token where the query names no team.
#[derive(Debug, Default)]
pub struct Store {
    artifacts: HashMap<(String, String), Artifact>,
    members: Option<Vec<String>>,
    refusal: u16,
}

/// A body and the fields that come with it.
#[derive(Clone, Debug, Default)]
pub struct Artifact {
    body: Vec<u8>,
    fields: Vec<(String, String)>,
}

// === impl Store ===

impl Store {
    pub fn hold(&mut self, query: &str, hash: &str, artifact: Artifact) {
        self.artifacts
            .insert((query.to_owned(), hash.to_owned()), artifact);
    }

    /// From now on the team `acme` admits these tokens only.
    pub fn members(&mut self, tokens: &[&str], refusal: u16) {
        self.members = Some(tokens.iter().map(|&token| token.to_owned()).collect());
        self.refusal = refusal;
    }

    pub(super) fn answer(&mut self, seen: &Seen) -> Answer {
        let Some((_, below)) = seen.path().split_once("/v8/artifacts") else {
            return json_answer(200, &json!({ "passed": seen.target() }));
        };
        match (seen.method(), below.trim_start_matches('/')) {
            // Public, as it is at the most used self-hosted server.
            ("GET", "status") => json_answer(200, &json!({ "status": "enabled" })),
            _ if self.refuses(seen) => refusal(self.refusal),
            ("POST", "") => self.batch(seen),
            ("POST", "events") => json_answer(200, &json!({})),
            ("PUT", hash) => self.store(seen, hash),
            ("GET" | "HEAD", hash) => self.fetch(seen, hash),
            _ => refusal(405),
        }
    }

    fn refuses(&self, seen: &Seen) -> bool {
        let members = self
            .members
            .as_ref()
            .filter(|_| seen.query().contains("slug=acme"));
        members.is_some_and(|members| !members.iter().any(|token| token == seen.token()))
    }

    fn fetch(&self, seen: &Seen, hash: &str) -> Answer {
        let Some(artifact) = self.artifacts.get(&key(seen, hash)) else {
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
        self.artifacts.insert(key(seen, hash), artifact);
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
            let artifact = self.artifacts.get(&key(seen, hash));
            let known =
                artifact.map(|found| json!({ "size": found.body.len(), "taskDurationMs": 7 }));
            found.insert(hash.to_owned(), known.unwrap_or_default());
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

fn key(seen: &Seen, hash: &str) -> (String, String) {
    let query = seen.query();
    let names_team = query.contains("teamId=") || query.contains("slug=");
    let space = if names_team {
        query.to_owned()
    } else {
        format!("own:{}", seen.token())
    };
    (space, hash.to_owned())
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
