//! From what was written to what Larder needs: every section checked, every mistake noted.
//!
//! A key that is wrong reads as nothing, so that the keys after it are checked too; whoever calls
//! looks at the mistakes before using the result.

mod access;
mod entrance;
mod entry;
mod listeners;
mod oidc;
mod pair;
mod server;
mod tier;
mod tls;
mod tokens;
mod traces;
mod upstream;

use figment::value::Value;

pub(super) use entrance::show_mode;
pub(super) use traces::unheard;
pub(super) use upstream::is_forwardable;

use super::proxy::Ambient;
use super::raw::Raw;
use super::{
    Config, Log, LogFormat, LogLevel, OnUploadFailure, Target, Upload, problem, units, value,
};

/// Understands everything that was written.
pub(super) fn config(raw: &mut Raw, ambient: Ambient, memory_limit: Option<u64>) -> Config {
    let data_dir = raw.take("data_dir", value::path);
    if data_dir.is_none() && !raw.is_set("data_dir") {
        raw.mistake(
            "data_dir",
            "is not set, and neither CACHE_DIRECTORY nor XDG_CACHE_HOME nor HOME says where",
        );
    }
    let data_dir = data_dir.unwrap_or_default();
    let asked = listeners::listeners(raw);
    let mut server = server::server(raw, &asked);
    let admin = server::admin(raw, &asked);
    let upstream = upstream::upstream(raw, ambient);
    upstream::warn_of_clear_text(raw, &upstream.target);
    let access = access::access(raw, &upstream.target, &asked, &server.proxy_protocol);
    server.named = access::named(&asked, access.mode);
    let tier = tier::tier(raw, (&data_dir, memory_limit), asked.is_secured());
    let upload = upload(raw, &upstream.target);
    let log = log(raw);
    let traces = traces::traces(raw);
    Config {
        data_dir,
        server,
        admin,
        upstream,
        access,
        tier,
        upload,
        log,
        traces,
    }
}

fn upload(raw: &mut Raw, target: &Target) -> Upload {
    raw.take("upload.mode", upload_mode);
    if *target == Target::None {
        let keys = ["upload.patience", "upload.on_failure"];
        raw.without_effect(&keys, "there is no upstream");
    }
    let words = [
        ("refuse", OnUploadFailure::Refuse),
        ("keep", OnUploadFailure::Keep),
    ];
    Upload {
        max_size: raw.take("upload.max_size", at_least_a_byte).unwrap_or(0),
        timeout: raw
            .take("upload.timeout", units::period)
            .unwrap_or_default(),
        patience: raw
            .take("upload.patience", units::period)
            .unwrap_or_default(),
        on_failure: raw
            .take("upload.on_failure", |value| value::choice(value, &words))
            .unwrap_or(OnUploadFailure::Refuse),
    }
}

fn upload_mode(value: &Value) -> Result<(), String> {
    match value::text(value)? {
        "through" => Ok(()),
        "back" => Err("`back` is not in this version".to_owned()),
        text => Err(format!("{} is none of: through", problem::quoted(text))),
    }
}

fn at_least_a_byte(value: &Value) -> Result<u64, String> {
    match units::size(value)? {
        0 => Err("must be more than 0".to_owned()),
        size => Ok(size),
    }
}

fn log(raw: &mut Raw) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = LogLevel::ALL.map(|level| (level.as_str(), level));
    Log {
        format: raw
            .take("log.format", |value| value::choice(value, &formats))
            .unwrap_or(LogFormat::Text),
        level: raw
            .take("log.level", |value| value::choice(value, &levels))
            .unwrap_or(LogLevel::Info),
        access_lines: true,
    }
}
