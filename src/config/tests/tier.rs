//! The tiers' sizes, where they are said and where the machine decides.

use super::super::{load, units};
use super::{Written, environment, mistake_in, written};

#[test]
fn shares_of_the_file_system_become_sizes() {
    let mut file = written("tier.disk.capacity = \"50%\"\ntier.disk.max_artifact = \"1%\"");
    file.flags.data_dir = Some(file.folder.path().join("new").to_str().unwrap().to_owned());
    let total = units::file_system_size(file.folder.path()).unwrap();
    let disk = file.load(&[]).unwrap().config.tier.disk;
    assert_eq!(disk.capacity, total / 2);
    assert_eq!(
        disk.max_artifact,
        u64::try_from(u128::from(total) / 100).unwrap()
    );
    assert!(disk.min_free <= 1 << 30);
    assert!(mistake_in("tier.memory.capacity = \"50%\"").contains("tier.memory.capacity: "));
}

#[test]
fn where_memory_is_bounded_a_part_of_it_is_taken_unless_somebody_says_otherwise() {
    let tier = |limit: Option<u64>, text: &str| {
        let file = written(text);
        let environment = environment(&[]).with_memory_limit(limit);
        let loaded = load(&file.flags, &environment).unwrap();
        (loaded.config.tier, loaded.warnings)
    };
    for (limit, memory, in_flight) in [
        (None, 256 << 20, 128 << 20),
        (Some(8 << 30), 256 << 20, 128 << 20),
        (Some(256 << 20), 64 << 20, 32 << 20),
    ] {
        let (tier, warnings) = tier(limit, "");
        assert_eq!((tier.memory.capacity, tier.in_flight), (memory, in_flight));
        assert_eq!(warnings, Vec::<String>::new());
    }
    let said = "tier.memory.capacity = \"512MiB\"\ntier.in_flight = \"1GiB\"";
    let (tier, warnings) = tier(Some(512 << 20), said);
    assert_eq!((tier.memory.capacity, tier.in_flight), (512 << 20, 1 << 30));
    let warning =
        "larder.toml:1: tier.memory.capacity is 512MiB, and the process may have 512.0 MiB";
    assert!(warnings[0].contains(warning), "{warnings:?}");
}

#[test]
fn a_capacity_that_its_file_system_has_not_is_a_warning() {
    let mut file = written("tier.disk.capacity = \"8000TiB\"");
    file.flags.data_dir = Some(file.folder.path().to_str().unwrap().to_owned());
    let warnings = file.load(&[]).unwrap().warnings;
    assert!(
        warnings[0].contains("tier.disk.capacity is 8000TiB, and the file system has"),
        "{warnings:?}"
    );
}

#[test]
fn memory_admits_less_where_files_leave_uncopied() {
    let admitted = |file: &Written| file.load(&[]).unwrap().config.tier.memory.max_artifact;
    let mut file = written("");
    let beside_files = if cfg!(target_os = "linux") {
        64 << 10
    } else {
        1 << 20
    };
    assert_eq!(admitted(&file), beside_files);
    file.flags.disk = Some("0".to_owned());
    assert_eq!(admitted(&file), 1 << 20, "there are no files");
}

#[test]
fn no_artifact_is_admitted_that_is_larger_than_its_tier() {
    let mut file = written("");
    file.flags.memory = Some("512KiB".to_owned());
    file.flags.disk = Some("0".to_owned());
    let loaded = file.load(&[]).unwrap();
    assert_eq!(loaded.config.tier.memory.max_artifact, 512 << 10);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let asked = file
        .load(&[("LARDER_TIER__MEMORY__MAX_ARTIFACT", "1GiB")])
        .unwrap();
    assert_eq!(asked.config.tier.memory.max_artifact, 512 << 10);
    assert!(
        asked.warnings[0].contains("512KiB holds"),
        "{:?}",
        asked.warnings
    );
}
