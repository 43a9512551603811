//! Certificates and their files, in paused time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::time::advance;

use super::*;

/// A pair of files, and what keeps up with them.
struct Kept {
    folder: TempDir,
    certificates: Arc<Certificates>,
    tasks: Tasks,
}

/// A certificate until the first day of a year, and its key.
fn until(year: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

impl Kept {
    /// Files as a mounted secret has them: links to files in a folder that is a link itself.
    fn up() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("..data/tls.pem", path("tls.pem")).unwrap();
        symlink("..data/tls-key.pem", path("tls-key.pem")).unwrap();
        fs::create_dir(path("2031")).unwrap();
        let (cert, key) = until(2031);
        fs::write(path("2031/tls.pem"), cert).unwrap();
        fs::write(path("2031/tls-key.pem"), key).unwrap();
        symlink("2031", path("..data")).unwrap();
        let files = TlsFiles {
            pairs: vec![(path("tls.pem"), path("tls-key.pem"))],
            ..TlsFiles::default()
        };
        let shown = files.read().understand().unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        Self {
            certificates: Certificates::new(&shown, &metrics).unwrap(),
            folder,
            tasks: Tasks::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes both files, or one.
    fn write(&self, cert: Option<&str>, key: Option<&str>) {
        for (name, text) in [("..data/tls.pem", cert), ("..data/tls-key.pem", key)] {
            if let Some(text) = text {
                fs::write(self.path(name), text).unwrap();
            }
        }
    }

    /// The year in which what is shown ends, failures counted, and whether the last look was one.
    fn told(&self) -> (i64, u64, i64) {
        let tls = &self.certificates.metrics.tls;
        let families = self.certificates.metrics.registry().gather();
        let name = "larder_tls_certificate_expiry_seconds";
        let family = families.iter().find(|family| family.name() == name);
        let series = family.unwrap().get_metric();
        assert_eq!(series.len(), 1);
        #[expect(clippy::cast_possible_truncation, reason = "a year")]
        let year = 1970 + (series[0].get_gauge().get_value() / 31_556_952.0).round() as i64;
        (year, tls.reload_failures.get(), tls.reload_failed.get())
    }
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_is_half_written_at_one_look_is_shown_at_the_next_and_never_a_failure() {
    let kept = Kept::up();
    let (cert, key) = until(2032);
    kept.write(Some(&cert), None);
    kept.certificates.look();
    assert_eq!(kept.told(), (2031, 0, 0));
    kept.write(None, Some(&key));
    kept.certificates.look();
    assert_eq!(kept.told(), (2032, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_stays_of_no_use_is_one_failure_until_it_is_of_use_again() {
    let kept = Kept::up();
    let (cert, key) = until(2032);
    kept.write(Some(&cert), None);
    for expected in [(2031, 0, 0), (2031, 1, 1), (2031, 1, 1), (2031, 1, 1)] {
        kept.certificates.look();
        assert_eq!(kept.told(), expected);
    }
    // Of no use in another way.
    fs::remove_file(kept.path("..data/tls-key.pem")).unwrap();
    for expected in [(2031, 1, 1), (2031, 2, 1), (2031, 2, 1)] {
        kept.certificates.look();
        assert_eq!(kept.told(), expected);
    }
    kept.write(None, Some(&key));
    kept.certificates.look();
    assert_eq!(kept.told(), (2032, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn going_back_to_what_is_shown_ends_a_failure() {
    let kept = Kept::up();
    let before = fs::read_to_string(kept.path("tls.pem")).unwrap();
    kept.write(Some("no certificate"), None);
    kept.certificates.look();
    kept.certificates.look();
    assert_eq!(kept.told(), (2031, 1, 1));
    kept.write(Some(&before), None);
    kept.certificates.look();
    assert_eq!(kept.told(), (2031, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_exchanged_under_the_links_is_seen_in_time_until_a_stop() {
    let kept = Kept::up();
    let keeping = Arc::clone(&kept.certificates).keep_up(kept.tasks.clone());
    kept.tasks.spawn(keeping);
    fs::create_dir(kept.path("2033")).unwrap();
    let (cert, key) = until(2033);
    fs::write(kept.path("2033/tls.pem"), cert).unwrap();
    fs::write(kept.path("2033/tls-key.pem"), key).unwrap();
    symlink("2033", kept.path("..next")).unwrap();
    fs::rename(kept.path("..next"), kept.path("..data")).unwrap();
    assert_eq!(kept.told(), (2031, 0, 0));
    while kept.told() == (2031, 0, 0) {
        advance(LOOK).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(kept.told(), (2033, 0, 0));
    kept.tasks.stop();
    assert_eq!(kept.tasks.drain(LOOK).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_names_other_files_is_followed_to_them() {
    let kept = Kept::up();
    let (cert, key) = until(2034);
    fs::write(kept.path("other.pem"), cert).unwrap();
    fs::write(kept.path("other-key.pem"), key).unwrap();
    let others = TlsFiles {
        pairs: vec![(kept.path("other.pem"), kept.path("other-key.pem"))],
        ..TlsFiles::default()
    };
    kept.certificates.take(&others.read().understand().unwrap());
    assert_eq!(kept.told(), (2034, 0, 0));
    kept.write(Some("no certificate"), None);
    let (cert, key) = until(2035);
    fs::write(kept.path("other.pem"), cert).unwrap();
    fs::write(kept.path("other-key.pem"), key).unwrap();
    kept.certificates.look();
    assert_eq!(kept.told(), (2035, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_began_before_what_is_shown_was_read_changes_nothing() {
    let kept = Kept::up();
    let files = kept.certificates.state.lock().files.clone();
    let slow = files.read();
    let (cert, key) = until(2032);
    kept.write(Some(&cert), Some(&key));
    kept.certificates.take(&files.read().understand().unwrap());
    assert_eq!(kept.told(), (2032, 0, 0));
    kept.certificates.judge(&slow);
    assert_eq!(kept.told(), (2032, 0, 0));
    // Nor does it say of a pair that was half written then that it is of no use.
    kept.write(Some("no certificate"), None);
    let slow = files.read();
    kept.write(Some(&cert), None);
    kept.certificates.look();
    kept.certificates.judge(&slow);
    kept.certificates.judge(&slow);
    assert_eq!(kept.told(), (2032, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_configuration_read_before_a_look_does_not_take_back_what_that_has_shown() {
    let kept = Kept::up();
    let files = kept.certificates.state.lock().files.clone();
    let slow = files.read().understand().unwrap();
    let (cert, key) = until(2032);
    kept.write(Some(&cert), Some(&key));
    kept.certificates.look();
    kept.certificates.take(&slow);
    assert_eq!(kept.told(), (2032, 0, 0));
    // Other files are another matter, whenever they were read.
    let others = TlsFiles {
        pairs: vec![(kept.path("2031/tls.pem"), kept.path("2031/tls-key.pem"))],
        ..TlsFiles::default()
    };
    let (cert, key) = until(2033);
    kept.write(Some(&cert), Some(&key));
    let slow = others.read().understand().unwrap();
    kept.certificates.look();
    kept.certificates.take(&slow);
    assert_eq!(kept.certificates.state.lock().files, others);
}
