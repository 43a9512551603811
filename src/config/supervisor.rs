//! What a service manager such as systemd says to the process that it starts, in the environment.

use std::ffi::OsString;
use std::process;
use std::time::Duration;

use super::Environment;

/// What sockets are called that were passed without a name.
const NAMELESS: &str = "unknown";

/// More sockets than anybody passes.
const MOST: usize = 1024;

/// What the service manager wants and gives; nothing where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supervisor {
    /// The names of the sockets that it passed, in their order.
    pub sockets: Vec<String>,
    /// Where it wants to hear how the process is: a path, or `@` and an abstract name.
    pub notices: Option<OsString>,
    /// It ends the process that it did not hear from for so long.
    pub watchdog: Option<Duration>,
}

impl Supervisor {
    /// Of what is meant for this very process: a child would find the same variables.
    pub(super) fn of(environment: &Environment) -> Self {
        Self::meant_for(process::id(), environment)
    }

    fn meant_for(process: u32, environment: &Environment) -> Self {
        let number = |name| environment.text(name)?.parse::<u64>().ok();
        let is_meant = |name| number(name) == Some(process.into());
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0);
        let is_watched = environment.text("WATCHDOG_PID").is_none() || is_meant("WATCHDOG_PID");
        let sockets = number("LISTEN_FDS").filter(|_| is_meant("LISTEN_PID"));
        Self {
            sockets: names(sockets, environment.text("LISTEN_FDNAMES")),
            notices: environment.get("NOTIFY_SOCKET").map(ToOwned::to_owned),
            watchdog: watchdog.filter(|_| is_watched).map(Duration::from_micros),
        }
    }
}

fn names(sockets: Option<u64>, names: Option<&str>) -> Vec<String> {
    let count = sockets.and_then(|count| usize::try_from(count).ok());
    let names = names.unwrap_or_default().split(':');
    let names = names.map(|name| if name.is_empty() { NAMELESS } else { name });
    names
        .chain(std::iter::repeat(NAMELESS))
        .take(count.unwrap_or_default().min(MOST))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Supervisor {
        let pairs = pairs.iter().map(|(name, text)| (name.into(), text.into()));
        Supervisor::meant_for(7, &Environment::new(pairs))
    }

    #[test]
    fn sockets_are_for_the_process_that_they_were_passed_to() {
        let names = [("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "web::admin")];
        let meant = [&names[..], &[("LISTEN_PID", "7")]].concat();
        assert_eq!(of(&meant).sockets, ["web", "unknown", "admin"]);
        let other = [&names[..], &[("LISTEN_PID", "8")]].concat();
        for pairs in [&names[..], &other] {
            assert_eq!(of(pairs), Supervisor::default());
        }
        let nameless = [("LISTEN_FDS", "2"), ("LISTEN_PID", "7")];
        assert_eq!(of(&nameless).sockets, ["unknown", "unknown"]);
        let absurd = [("LISTEN_FDS", "99999999999"), ("LISTEN_PID", "7")];
        assert_eq!(of(&absurd).sockets.len(), MOST);
    }

    #[test]
    fn a_watchdog_that_watches_another_process_is_none() {
        let usec = ("WATCHDOG_USEC", "30000000");
        let watched = Some(Duration::from_secs(30));
        assert_eq!(of(&[usec]).watchdog, watched);
        assert_eq!(of(&[usec, ("WATCHDOG_PID", "7")]).watchdog, watched);
        assert_eq!(of(&[usec, ("WATCHDOG_PID", "8")]).watchdog, None);
        assert_eq!(of(&[("WATCHDOG_USEC", "0")]).watchdog, None);
        assert_eq!(of(&[("WATCHDOG_USEC", "soon")]).watchdog, None);
    }
}
