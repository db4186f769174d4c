//! Whether a process stands still.

/// Whether a process is stopped now: each of its threads, for on a busy machine some go on for a while after the first one stands.
pub(crate) fn is_still(pid: u32) -> bool {
    let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.all(|task| {
        // A thread that has ended meanwhile is not there any more.
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat"));
        // After the name, which is in parentheses.
        stat.is_ok_and(|stat| stat.rsplit_once(") ").unwrap().1.starts_with('T'))
    })
}
