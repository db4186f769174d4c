//! Who has locked a file, as the system tells it.

use std::path::Path;

/// The numbers of the processes that have locked the file `path`, as this one sees them. None: the system does not tell, or they can't be seen from here.
#[cfg(target_os = "linux")]
pub(super) fn holders(path: &Path) -> Vec<u32> {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{major, minor};

    let (Ok(file), Ok(locks)) = (fs::metadata(path), fs::read_to_string("/proc/locks")) else {
        return Vec::new();
    };
    let (major, minor) = (major(file.dev()), minor(file.dev()));
    holders_of(&format!("{major:02x}:{minor:02x}:{}", file.ino()), &locks)
}

/// The numbers of the processes that have locked the file `path`: this system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn holders(_path: &Path) -> Vec<u32> {
    Vec::new()
}

/// Those that `locks`, as proc_locks(5) describes them, have of the file `name`: its device and its inode.
#[cfg(target_os = "linux")]
fn holders_of(name: &str, locks: &str) -> Vec<u32> {
    let holder = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        // A line of one who waits for it has an arrow before the second field.
        match fields[..] {
            [_, "FLOCK", _, _, process, of, ..] if of == name => process.parse().ok(),
            _ => None,
        }
    };
    let mut holders: Vec<u32> = locks.lines().filter_map(holder).collect();
    holders.sort_unstable();
    holders.dedup();
    // Of another namespace.
    holders.retain(|&process| process != 0);
    holders
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::holders_of;

    #[test]
    fn those_who_have_it_are_told_from_others() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 15 fe:00:77 0 EOF
2: FLOCK  ADVISORY  READ  12 fe:00:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF
3: FLOCK  ADVISORY  READ  11 fe:00:77 0 EOF
4: FLOCK  ADVISORY  READ  11 fe:00:77 0 EOF
5: FLOCK  ADVISORY  READ  0 fe:00:77 0 EOF
6: FLOCK  ADVISORY  WRITE 14 fe:00:78 0 EOF
7: what else there may be
";
        assert_eq!(holders_of("fe:00:77", locks), [11, 12]);
        assert_eq!(holders_of("fe:00:79", locks), []);
    }
}
