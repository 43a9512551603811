//! What the figures were made on, and of.

use std::fs;
use std::process::Command;

/// The commit that is checked out, marked where files differ from it.
pub(crate) fn commit() -> String {
    let arguments = ["describe", "--always", "--dirty", "--exclude=*"];
    said("git", &arguments).unwrap_or_else(|| "unknown".to_owned())
}

/// The machine and the programs, in a sentence.
pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // This process may have fewer.
    let is_core = |line: &&str| line.starts_with("processor");
    let cores = cpu.lines().filter(is_core).count();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.unwrap_or("unknown").trim_matches([' ', '\t', ':']);
    let kernel = said("uname", &["-r"]).unwrap_or_default();
    let nginx = version("nginx", &["-v"], "nginx/");
    let varnish = version("varnishd", &["-V"], "varnish-");
    let wrk = version("wrk", &["-v"], "wrk ");
    format!("{cores} cores, {model}, Linux {kernel}; nginx {nginx}, Varnish {varnish}, wrk {wrk}")
}

/// The first line that a command says.
fn said(command: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(command).args(arguments).output().ok()?;
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&both).into_owned();
    text.lines().next().map(str::to_owned)
}

fn version(command: &str, arguments: &[&str], before: &str) -> String {
    let said = said(command, arguments).unwrap_or_default();
    let found = said.split_once(before).map_or("none", |(_, rest)| rest);
    let end = found.find([' ', ')']).unwrap_or(found.len());
    found[..end].to_owned()
}
