//! `larder doctor`: tries an upstream and a token end to end, and says in plain words what works.
//!
//! It goes the way that `serve` would, step by step, and asks what a build would ask. Nothing is written
//! upstream unless that is asked for.

mod answers;
mod asking;
mod finding;
mod fitness;
mod greeting;
mod line;
mod place;
mod report;
mod stored;
#[cfg(test)]
mod tests;
mod walk;

use std::process::ExitCode;

use clap::Args;

use self::asking::Asking;
use self::finding::{Check, Finding};
use self::report::{Form, Report};
use super::credential::{Credential, CredentialFlags, Given};
use super::{ConfigFlags, USAGE, complain, quick_runtime};
use crate::config::{Asker, Environment, Flags, Loaded};
use crate::upstream::Way;

/// What is tried, as whom, and how it is told.
#[derive(Args, Debug)]
pub(super) struct DoctorFlags {
    #[command(flatten)]
    config: ConfigFlags,
    #[command(flatten)]
    trial: TrialFlags,
}

/// The same, but for the configuration.
#[derive(Args, Debug)]
pub(super) struct TrialFlags {
    #[command(flatten)]
    credential: CredentialFlags,
    /// Uploads a small artifact too, under a random hash, and looks what comes back
    #[arg(long)]
    write: bool,
    /// Prints an array of findings in JSON
    #[arg(long)]
    json: bool,
}

// === impl DoctorFlags ===

impl DoctorFlags {
    /// The configuration's flags, and the rest.
    pub(super) fn parts(self) -> (Flags, TrialFlags) {
        (self.config.into(), self.trial)
    }
}

/// Tries everything and prints what came of it; 1 where something does not work.
pub(super) fn run(
    loaded: &Loaded,
    flags: &TrialFlags,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    let own = loaded.config.upstream.token.as_ref();
    let credential = match flags.credential.read(own, Asker::of(environment)) {
        Ok(credential) => credential,
        Err(error) => {
            complain(&[format!("larder: {error:#}")]);
            return Ok(ExitCode::from(USAGE));
        }
    };
    let form = if flags.json {
        Form::Json
    } else {
        Report::table(environment.allows_colour())
    };
    let secret = credential.token.as_ref().map(|(secret, _)| secret.clone());
    let mut report = Report::new(form, secret);
    let runtime = quick_runtime()?;
    let examined = runtime.block_on(examine(&mut report, loaded, &credential, flags.write));
    // A disk that hangs is left to hang.
    runtime.shutdown_background();
    examined?;
    report.finish()
}

async fn examine(
    report: &mut Report,
    loaded: &Loaded,
    credential: &Credential,
    writes: bool,
) -> anyhow::Result<()> {
    configuration(report, loaded);
    match Way::new(&loaded.config.upstream)? {
        None => {
            let why = "there is no upstream (upstream.url is none): Larder itself is the cache";
            report.add(Check::Status, Finding::not_tried(why), None);
        }
        Some(way) => upstream(report, loaded, (&way, credential), writes).await?,
    }
    place::examine(report, &loaded.config).await;
    Ok(())
}

fn configuration(report: &mut Report, loaded: &Loaded) {
    let read = match &loaded.file {
        Some(file) => format!("{} and the environment", file.display()),
        None => "no file; the environment and the defaults".to_owned(),
    };
    report.add(Check::Configuration, Finding::ok(read), None);
    for warning in &loaded.warnings {
        let finding = Finding::warning(warning.clone(), "`larder check` shows every key in effect");
        report.add(Check::Configuration, finding, None);
    }
}

async fn upstream(
    report: &mut Report,
    loaded: &Loaded,
    (way, credential): (&Way, &Credential),
    writes: bool,
) -> anyhow::Result<()> {
    report.add(Check::Token, token(credential), None);
    report.add(Check::Team, team(credential), None);
    let protocol = match walk::walk(report, way, loaded).await {
        Ok(protocol) => protocol,
        Err(broken) => {
            not_asked(report, broken, writes);
            return Ok(());
        }
    };
    let asking = Asking {
        way,
        credential,
        protocol,
    };
    asking.read(report).await?;
    if writes {
        asking.write(report).await?;
    }
    Ok(())
}

fn not_asked(report: &mut Report, why: &str, writes: bool) {
    let read = [
        Check::Http,
        Check::Clock,
        Check::Status,
        Check::Rights,
        Check::Batch,
        Check::Events,
    ];
    let written = [
        Check::Upload,
        Check::Description,
        Check::Download,
        Check::Headers,
    ];
    let written = written.into_iter().filter(|_| writes);
    for check in read.into_iter().chain(written) {
        report.add(check, Finding::not_tried(why), None);
    }
}

fn token(credential: &Credential) -> Finding {
    match credential.token {
        Some((_, Given::Flag)) => Finding::ok("the one in --token-file"),
        Some((_, Given::Own)) => Finding::ok("Larder's own, of upstream.token_file"),
        Some((_, Given::Variable)) => Finding::ok("the one in TURBO_TOKEN"),
        None => Finding::warning(
            "none: asking as a stranger",
            "give one by --token-file, upstream.token_file or TURBO_TOKEN",
        ),
    }
}

fn team(credential: &Credential) -> Finding {
    if let Some(id) = &credential.unsent {
        return Finding::warning(
            format!("TURBO_TEAMID is {id:?}, which turbo leaves out: no id begins so"),
            "ids of teams begin with team_; a name goes into TURBO_TEAM",
        );
    }
    if credential.query.is_empty() {
        return Finding::warning(
            "none: asking for what is the token's own",
            "turbo asks nothing without a team: name it by --team or --slug, TURBO_TEAMID or TURBO_TEAM",
        );
    }
    Finding::ok(credential.query.clone())
}
