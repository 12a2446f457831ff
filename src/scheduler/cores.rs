//! The cores that may be used, and pinning a thread to one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use core_affinity::CoreId;

/// Returns the cores in this process's affinity mask, in order; empty if the system does not report
/// them.
pub(crate) fn allowed() -> Vec<CoreId> {
    let mut cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.sort_by_key(|core| core.id);
    cores
}

/// Returns how many workers make sense: the size of the affinity mask, or less if a cgroup has a
/// smaller processor quota.
pub(crate) fn usable() -> usize {
    let by_mask = allowed().len();
    let by_system = || std::thread::available_parallelism().map_or(1, usize::from);
    let cores = if by_mask == 0 { by_system() } else { by_mask };
    quota().map_or(cores, |quota| cores.min(quota)).max(1)
}

/// How many workers are pinned to each core, those of all runtimes of this program.
// Of std: a `static`, and no part of any protocol.
static PINNED: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// The cores to which a runtime pins its workers, the first worker to the first. Other runtimes of
/// the program avoid them while this lives.
#[derive(Default)]
pub(crate) struct Pins(Vec<CoreId>);

impl Pins {
    /// Takes one core for each worker, those first to which the fewest workers are pinned. Workers
    /// beyond the number of allowed cores get none.
    pub(crate) fn of_fewest_workers(workers: usize) -> Pins {
        let mut cores = allowed();
        let pinned = &mut *PINNED.lock().unwrap_or_else(PoisonError::into_inner);
        // Stable: equal ones stay in the order of their numbers.
        cores.sort_by_key(|core| pinned.get(&core.id).copied().unwrap_or(0));
        cores.truncate(workers);
        Pins::take(cores, pinned)
    }

    /// Takes the cores with these numbers, for each worker its own.
    ///
    /// # Errors
    /// The first number that is not among the allowed cores.
    pub(crate) fn chosen(numbers: &[usize]) -> Result<Pins, usize> {
        let allowed = allowed();
        let find =
            |number: &usize| allowed.iter().find(|core| core.id == *number).copied().ok_or(*number);
        let cores = numbers.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Pins::take(cores, &mut PINNED.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn take(cores: Vec<CoreId>, pinned: &mut BTreeMap<usize, usize>) -> Pins {
        cores.iter().for_each(|core| *pinned.entry(core.id).or_default() += 1);
        Pins(cores)
    }

    /// Returns the core of a worker.
    pub(crate) fn core(&self, worker: usize) -> Option<CoreId> {
        self.0.get(worker).copied()
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
        for core in &self.0 {
            if let Some(workers) = pinned.get_mut(&core.id) {
                *workers -= 1;
            }
        }
    }
}

/// Pins this thread to `core`; false if the system refuses.
pub(crate) fn pin(core: CoreId) -> bool {
    core_affinity::set_for_current(core)
}

/// Returns the smallest processor quota of this process's cgroup and all its ancestors, rounded up.
fn quota() -> Option<usize> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    quota_below(Path::new("/sys/fs/cgroup"), &membership)
}

fn quota_below(root: &Path, membership: &str) -> Option<usize> {
    membership.lines().filter_map(|line| quota_of_line(root, line)).min()
}

/// Parses one line of `/proc/self/cgroup`: `0::/path` for version 2, `4:cpu,cpuacct:/path` for 1.
fn quota_of_line(root: &Path, line: &str) -> Option<usize> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    if controllers.is_empty() {
        return tightest(root, path, |folder| read_v2(&folder.join("cpu.max")));
    }
    if !controllers.split(',').any(|controller| controller == "cpu") {
        return None;
    }
    let mounts = [root.join(controllers), root.join("cpu")];
    let mount = mounts.into_iter().find(|mount| mount.is_dir())?;
    tightest(&mount, path, read_v1)
}

/// Walks from the group up to the mount. In a container the path may lie outside of the mounted
/// tree; the mount itself is then the group.
fn tightest(mount: &Path, path: &str, read: impl Fn(&Path) -> Option<usize>) -> Option<usize> {
    let group = mount.join(path.trim_start_matches('/'));
    let start = if group.is_dir() { group } else { mount.to_owned() };
    let folders = start.ancestors().take_while(|folder| folder.starts_with(mount));
    folders.map(PathBuf::from).filter_map(|folder| read(&folder)).min()
}

fn read_v2(file: &Path) -> Option<usize> {
    let text = fs::read_to_string(file).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    cores_of(quota.parse().ok()?, period.parse().ok()?)
}

fn read_v1(folder: &Path) -> Option<usize> {
    let number = |name: &str| -> Option<i64> {
        fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
    };
    cores_of(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

fn cores_of(quota_us: i64, period_us: i64) -> Option<usize> {
    (quota_us > 0 && period_us > 0).then(|| (quota_us as u64).div_ceil(period_us as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_ancestor_counts_and_is_rounded_up() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("a/b");
        fs::create_dir_all(&group).unwrap();
        fs::write(root.path().join("a/cpu.max"), "150000 100000\n").unwrap();
        fs::write(group.join("cpu.max"), "max 100000\n").unwrap();
        assert_eq!(quota_below(root.path(), "0::/a/b\n"), Some(2));
        fs::write(group.join("cpu.max"), "50000 100000\n").unwrap();
        assert_eq!(quota_below(root.path(), "0::/a/b\n"), Some(1));
        assert_eq!(quota_below(root.path(), "0::/elsewhere\n"), None);
    }

    #[test]
    fn version_one_is_read_too() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("cpu/job");
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join("cpu.cfs_quota_us"), "-1").unwrap();
        fs::write(group.join("cpu.cfs_period_us"), "100000").unwrap();
        assert_eq!(quota_below(root.path(), "3:cpu:/job"), None);
        fs::write(group.join("cpu.cfs_quota_us"), "300000").unwrap();
        assert_eq!(quota_below(root.path(), "3:cpu:/job"), Some(3));
    }
}
