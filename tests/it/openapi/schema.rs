//! Whether a value is what a JSON schema says: the words that `docs/openapi.json` uses, and no others.
//!
//! A crate for all of JSON Schema brings 37 others, one of them a second version of what is linked already.

use serde_json::{Map, Value};

/// What a schema may say that asks nothing of a value.
const REMARKS: [&str; 2] = ["description", "default"];

/// Holds values against the schemas of one document.
pub struct Checker<'a>(pub &'a Value);

impl Checker<'_> {
    /// Every place where `value` is not what `schema` says.
    pub fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check("", schema, value, &mut faults);
        faults
    }

    fn check(&self, place: &str, schema: &Value, value: &Value, faults: &mut Vec<String>) {
        for (word, said) in schema.as_object().expect("a schema is an object") {
            if !self.holds(word, said, (place, schema, value), faults) {
                faults.push(format!("{place}: {value} is not {word} {said}"));
            }
        }
    }

    /// Whether a value keeps to one word of its schema; what is wrong within it is said by itself.
    fn holds(
        &self,
        word: &str,
        said: &Value,
        (place, schema, value): (&str, &Value, &Value),
        faults: &mut Vec<String>,
    ) -> bool {
        match word {
            "$ref" => {
                self.check(place, self.referred(said), value, faults);
                true
            }
            "anyOf" => {
                let mut choices = said.as_array().expect("choices").iter();
                choices.any(|choice| self.faults(choice, value).is_empty())
            }
            "type" => match said {
                Value::Array(types) => types.iter().any(|it| is_of(it, value)),
                one => is_of(one, value),
            },
            "enum" => said.as_array().expect("values").contains(value),
            "required" => {
                let mut names = said.as_array().expect("names").iter();
                names.all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "properties" | "additionalProperties" => {
                if let Value::Object(members) = value {
                    self.check_members(place, schema, members, faults);
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(&format!("{place}/{index}"), said, item, faults);
                }
                true
            }
            "maxItems" => value
                .as_array()
                .is_none_or(|it| it.len() as u64 <= number(said)),
            "maxLength" => value
                .as_str()
                .is_none_or(|it| it.chars().count() as u64 <= number(said)),
            "minimum" => value
                .as_f64()
                .is_none_or(|it| it >= said.as_f64().expect("a bound")),
            "maximum" => value
                .as_f64()
                .is_none_or(|it| it <= said.as_f64().expect("a bound")),
            "format" => value.as_str().is_none_or(|text| is_formed(said, text)),
            "pattern" => value.as_str().is_none_or(|text| fits(said, text)),
            _ => REMARKS.contains(&word),
        }
    }

    fn check_members(
        &self,
        place: &str,
        schema: &Value,
        members: &Map<String, Value>,
        faults: &mut Vec<String>,
    ) {
        for (name, member) in members {
            let place = format!("{place}/{name}");
            match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => {
                    faults.push(format!("{place}: not documented"));
                }
                (Value::Null, Value::Null) => {}
                (Value::Null, others) => self.check(&place, others, member, faults),
                (known, _) => self.check(&place, known, member, faults),
            }
        }
    }

    fn referred(&self, to: &Value) -> &Value {
        let path = to.as_str().and_then(|to| to.strip_prefix('#'));
        let found = path.and_then(|path| self.0.pointer(path));
        found.unwrap_or_else(|| panic!("{to} leads nowhere"))
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}

fn is_formed(format: &Value, text: &str) -> bool {
    assert_eq!(format, "date-time", "the only format that is known here");
    humantime::parse_rfc3339(text).is_ok()
}

/// The patterns that are used are one class of characters, so many times.
fn fits(pattern: &Value, text: &str) -> bool {
    let hex: fn(u8) -> bool = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let word: fn(u8) -> bool = |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let (class, lengths) = match pattern.as_str().expect("a pattern") {
        "^[0-9a-f]{16}$" => (hex, 16..=16),
        "^[0-9a-f]{32}$" => (hex, 32..=32),
        "^[0-9a-f]{64}$" => (hex, 64..=64),
        "^[A-Za-z0-9_-]{1,512}$" => (word, 1..=512),
        other => panic!("the pattern {other} is not known here"),
    };
    lengths.contains(&text.len()) && text.bytes().all(class)
}

fn number(said: &Value) -> u64 {
    said.as_u64().expect("a number")
}

#[test]
fn what_is_not_as_documented_is_noticed() {
    let document = serde_json::json!({"named": {"type": ["string", "null"], "enum": ["a", null]}});
    let schema = serde_json::json!({
        "type": "object", "required": ["n"], "additionalProperties": false,
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 2},
            "s": {"$ref": "#/named"},
            "l": {"type": "array", "maxItems": 1, "items": {"type": "string", "format": "date-time"}},
            "k": {"anyOf": [{"type": "string", "pattern": "^[0-9a-f]{16}$"}, {"type": "null"}]},
        },
    });
    let faults = |value: Value| Checker(&document).faults(&schema, &value).len();
    let right = serde_json::json!({"n": 1, "s": null, "l": ["2026-11-30T10:00:00Z"], "k": null});
    assert_eq!(faults(right), 0);
    for wrong in [
        serde_json::json!([]),
        serde_json::json!({}),
        serde_json::json!({"n": 0}),
        serde_json::json!({"n": 3}),
        serde_json::json!({"n": 1.5}),
        serde_json::json!({"n": 1, "s": "b"}),
        serde_json::json!({"n": 1, "l": ["today"]}),
        serde_json::json!({"n": 1, "l": ["2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z"]}),
        serde_json::json!({"n": 1, "k": "00112233445566"}),
        serde_json::json!({"n": 1, "more": 1}),
    ] {
        assert_ne!(faults(wrong.clone()), 0, "{wrong}");
    }
    let unknown = serde_json::json!({"mysterious": true});
    assert_eq!(Checker(&document).faults(&unknown, &Value::Null).len(), 1);
}
