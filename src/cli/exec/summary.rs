//! What was saved, in a few lines for a terminal, and the same as Markdown for a CI's page. Pure.

use std::path::PathBuf;

use bytesize::ByteSize;
use humantime::format_duration;
use tokio::time::Duration;

use super::tally::Tally;

/// Width of the names in front.
const NAME: usize = 14;

/// A run of Larder beside a command, measured.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub(super) tally: Tally,
    /// Where misses went, if anywhere.
    pub(super) upstream: Option<String>,
    /// Where the artifacts are, where they stay for another run.
    pub(super) kept: Option<PathBuf>,
    /// There was no artifact in it at the start.
    pub(super) began_empty: bool,
    /// What turbo may have lacked to ask at all.
    pub(super) lacks: Vec<&'static str>,
}

impl Summary {
    /// For people who read standard error.
    pub(super) fn lines(&self) -> Vec<String> {
        let rows = self.rows();
        let rows = rows
            .iter()
            .map(|(name, text)| format!("{name:<NAME$}{text}"));
        let lines: Vec<String> = rows.chain(self.notes()).collect();
        lines.iter().map(|line| format!("larder: {line}")).collect()
    }

    /// For a page that shows Markdown.
    pub(super) fn markdown(&self) -> String {
        let rows = self.rows();
        let table = rows
            .iter()
            .map(|(name, text)| format!("| {name} | {text} |\n"));
        let table: String = table.collect();
        let head = if table.is_empty() {
            ""
        } else {
            "| | |\n|---|---|\n"
        };
        let notes = self.notes().into_iter().map(|note| format!("\n{note}\n"));
        let notes: String = notes.collect();
        format!("### Larder\n\n{head}{table}{notes}\n")
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let tally = &self.tally;
        if tally.asked == 0 {
            return Vec::new();
        }
        let is_before_one = self.upstream.is_some();
        let kept = [
            (tally.reads > 0 || tally.uploads == 0, "hits", self.hits()),
            (
                is_before_one && tally.saved_bytes > 0,
                "not fetched",
                ByteSize::b(tally.saved_bytes).to_string(),
            ),
            (tally.saved.as_secs() > 0, "task time", self.task_time()),
            (
                tally.fetched > 0,
                "from upstream",
                tally.fetched.to_string(),
            ),
            (tally.misses() > 0, "misses", self.misses()),
            (tally.uploads > 0, "uploads", self.uploads()),
            (tally.degraded > 0, "degraded", self.degraded()),
        ];
        let kept = kept.into_iter().filter(|(is_worth_it, ..)| *is_worth_it);
        kept.map(|(_, name, text)| (name, text)).collect()
    }

    fn hits(&self) -> String {
        let tally = &self.tally;
        let all = format!("{} of {} reads", tally.hits(), tally.reads);
        match tally.hits() {
            0 => all,
            _ => format!(
                "{all} (memory {}, disk {})",
                tally.from_memory, tally.from_disk
            ),
        }
    }

    fn task_time(&self) -> String {
        let saved = format_duration(Duration::from_secs(self.tally.saved.as_secs()));
        format!("{saved} not spent again (tasks run side by side: the build is shorter by less)")
    }

    fn misses(&self) -> String {
        match (self.tally.misses(), self.tally.refused) {
            (misses, 0) => misses.to_string(),
            (misses, refused) => format!("{misses}, {refused} of them refused"),
        }
    }

    fn uploads(&self) -> String {
        match (self.tally.stored, self.tally.failed()) {
            (stored, 0) => format!("{stored} stored"),
            (stored, failed) => format!("{stored} stored, {failed} failed"),
        }
    }

    fn degraded(&self) -> String {
        let upstream = self.upstream.as_deref().unwrap_or("the upstream");
        let requests = match self.tally.degraded {
            1 => "request",
            _ => "requests",
        };
        format!(
            "{} {requests}, while {upstream} could not be reached or failed",
            self.tally.degraded
        )
    }

    fn notes(&self) -> Vec<String> {
        let unasked = (self.tally.asked == 0).then(|| self.unasked());
        let has_left = self.began_empty && self.tally.fetched + self.tally.stored > 0;
        let kept = self.kept.as_ref().filter(|_| has_left);
        let fresh = kept.map(|kept| {
            format!(
                "nothing was here before; the next run has what is in {} (a CI must keep that \
                 folder between jobs)",
                kept.display()
            )
        });
        unasked.into_iter().chain(fresh).collect()
    }

    fn unasked(&self) -> String {
        let asked = "no artifact was asked for";
        match (self.tally.requests, self.lacks.as_slice()) {
            (0, []) => {
                format!("{asked}: nothing ran that uses TURBO_API, or its remote cache is off")
            }
            (0, lacks) => format!(
                "{asked}: turbo's remote cache is off without {}",
                lacks.join(" and ")
            ),
            _ => format!("{asked}: turbo found all in its own cache, or its remote cache is off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(tally: Tally) -> Summary {
        Summary {
            tally,
            upstream: Some("https://cache.example/".to_owned()),
            kept: Some("/data/v1".into()),
            began_empty: false,
            lacks: Vec::new(),
        }
    }

    fn tally() -> Tally {
        Tally {
            requests: 16,
            asked: 15,
            reads: 12,
            from_memory: 7,
            from_disk: 2,
            fetched: 1,
            uploads: 3,
            stored: 2,
            degraded: 1,
            saved_bytes: 5 << 20,
            saved: Duration::from_millis(200_900),
            ..Tally::default()
        }
    }

    #[test]
    fn what_was_saved_stands_in_aligned_lines() {
        let expected = "
larder: hits          9 of 12 reads (memory 7, disk 2)
larder: not fetched   5.0 MiB
larder: task time     3m 20s not spent again (tasks run side by side: the build is shorter by less)
larder: from upstream 1
larder: misses        2
larder: uploads       2 stored, 1 failed
larder: degraded      1 request, while https://cache.example/ could not be reached or failed";
        let lines = summary(tally()).lines();
        assert_eq!(format!("\n{}", lines.join("\n")), expected);
    }

    #[test]
    fn what_did_not_happen_has_no_line() {
        let cold = Tally {
            requests: 3,
            asked: 2,
            reads: 1,
            uploads: 1,
            stored: 1,
            ..Tally::default()
        };
        let expected = [
            "larder: hits          0 of 1 reads",
            "larder: misses        1",
            "larder: uploads       1 stored",
        ];
        assert_eq!(summary(cold).lines(), expected);
        let warm = Tally {
            asked: 1,
            reads: 1,
            from_disk: 1,
            saved_bytes: 5,
            ..Tally::default()
        };
        let alone = Summary {
            upstream: None,
            ..summary(warm)
        };
        let expected = ["larder: hits          1 of 1 reads (memory 0, disk 1)"];
        assert_eq!(alone.lines(), expected);
        let forced = Tally { reads: 0, ..cold };
        let expected = ["larder: uploads       1 stored"];
        assert_eq!(summary(forced).lines(), expected);
        let looked_at = Tally {
            asked: 1,
            ..Tally::default()
        };
        assert_eq!(
            summary(looked_at).lines(),
            ["larder: hits          0 of 0 reads"]
        );
    }

    #[test]
    fn a_page_shows_the_same_as_a_table() {
        let page = summary(tally()).markdown();
        let begins =
            "### Larder\n\n| | |\n|---|---|\n| hits | 9 of 12 reads (memory 7, disk 2) |\n";
        assert!(page.starts_with(begins), "{page}");
        assert!(
            page.contains("| uploads | 2 stored, 1 failed |\n"),
            "{page}"
        );
    }

    #[test]
    fn a_run_that_began_empty_is_told_what_the_next_one_has() {
        let fresh = |tally, kept: Option<&str>| Summary {
            began_empty: true,
            kept: kept.map(PathBuf::from),
            ..summary(tally)
        };
        let said = |summary: &Summary| summary.lines().join("\n").contains("what is in /data/v1");
        assert!(said(&fresh(tally(), Some("/data/v1"))));
        assert!(!said(&fresh(tally(), None)));
        let nothing_left = Tally {
            fetched: 0,
            stored: 0,
            ..tally()
        };
        assert!(!said(&fresh(nothing_left, Some("/data/v1"))));
    }

    #[test]
    fn where_nothing_was_asked_it_says_what_is_missing() {
        let mut silent = summary(Tally::default());
        assert_eq!(silent.lines().len(), 1);
        silent.lacks = vec!["TURBO_TOKEN"];
        let [line] = <[String; 1]>::try_from(silent.lines()).unwrap();
        assert!(line.ends_with("off without TURBO_TOKEN"), "{line}");
        assert!(silent.markdown().contains("TURBO_TOKEN"));
        silent.tally.requests = 2;
        let line = silent.lines().join("\n");
        assert!(line.contains("its own cache"), "{line}");
    }
}
