//! How much memory the system lets this process have: what the machine has, and the bounds of control groups,
//! which containers and service managers set.

use std::fs;
use std::path::Path;

/// Groups without a bound say a number that no machine has.
const NO_BOUND: u64 = 1 << 60;

/// The least that this process's control group, one above it, or the machine has; none where nothing says so.
///
/// Of cgroup v2 and of the `memory` controller of v1 (Linux `Documentation/admin-guide/cgroup-v2.rst` and
/// `cgroup-v1/memory.rst`), and `MemTotal` of `proc_meminfo(5)`.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    below(Path::new("/"))
}

fn below(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let bounds = groups.lines().filter_map(|line| of_group(root, line));
    bounds.chain(of_machine(root)).min()
}

/// Of the line `MemTotal: NUMBER kB`.
fn of_machine(root: &Path) -> Option<u64> {
    let told = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let mut lines = told.lines();
    let total = lines.find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Of a line `ID:CONTROLLERS:PATH`; there are no controllers in a line of v2.
fn of_group(root: &Path, line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, group) = rest.split_once(':')?;
    let (tree, file) = if controllers.is_empty() {
        ("sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|it| it == "memory") {
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return None;
    };
    let group = Path::new(group.trim_start_matches('/'));
    // In a container its own group is the top of the tree, though it may be told a longer way.
    let bounds = group.ancestors().filter_map(|above| {
        let said = fs::read_to_string(root.join(tree).join(above).join(file)).ok()?;
        said.trim().parse().ok()
    });
    bounds.filter(|bound| *bound < NO_BOUND).min()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A system whose process is in `group`, with these files.
    fn system(group: &str, files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        for (path, text) in files.iter().chain(&[("proc/self/cgroup", group)]) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn limit(group: &str, files: &[(&str, &str)]) -> Option<u64> {
        below(system(group, files).path())
    }

    #[test]
    fn the_least_of_a_group_and_those_above_it_counts() {
        let files = [
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.max", "1073741824\n"),
        ];
        assert_eq!(limit("0::/a/b\n", &files), Some(1 << 30));
        let tighter = [files[1], ("sys/fs/cgroup/a/b/memory.max", "4096\n")];
        assert_eq!(limit("0::/a/b\n", &tighter), Some(4096));
    }

    #[test]
    fn a_container_has_its_own_at_the_top_whatever_way_it_is_told() {
        let files = [("sys/fs/cgroup/memory.max", "536870912\n")];
        assert_eq!(limit("0::/\n", &files), Some(512 << 20));
        assert_eq!(limit("0::/docker/0123\n", &files), Some(512 << 20));
    }

    #[test]
    fn the_older_tree_counts_by_its_memory_controller() {
        let v1 = "5:cpu,cpuacct:/c\n4:memory:/c\n0::/\n";
        let file = "sys/fs/cgroup/memory/c/memory.limit_in_bytes";
        assert_eq!(limit(v1, &[(file, "2097152\n")]), Some(2 << 20));
        assert_eq!(limit(v1, &[(file, "9223372036854771712\n")]), None);
    }

    #[test]
    fn a_machine_with_less_than_its_groups_may_have_is_the_bound() {
        let memory = "MemTotal:         524288 kB\nMemFree:           1024 kB\n";
        let machine = ("proc/meminfo", memory);
        assert_eq!(limit("0::/\n", &[machine]), Some(512 << 20));
        for (bound, least) in [("1073741824\n", 512 << 20), ("4096\n", 4096)] {
            let files = [machine, ("sys/fs/cgroup/memory.max", bound)];
            assert_eq!(limit("0::/\n", &files), Some(least));
        }
        assert_eq!(limit("", &[("proc/meminfo", "MemTotal: many\n")]), None);
    }

    #[test]
    fn where_nobody_says_anything_that_can_be_read_there_is_none() {
        assert_eq!(limit("", &[]), None);
        assert_eq!(limit("nonsense\n0::/gone\n", &[]), None);
        assert_eq!(
            limit("0::/\n", &[("sys/fs/cgroup/memory.max", "much")]),
            None
        );
        assert_eq!(below(Path::new("/nowhere")), None);
    }
}
