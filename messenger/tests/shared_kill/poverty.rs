//! A process to which the kernel refuses what others go by: it has no fences for other processes' threads, and no sockets, so that it can tell nobody
//! anything. As on an old kernel, or under a strict policy.

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, EPERM, PR_SET_NO_NEW_PRIVS,
    PR_SET_SECCOMP, SECCOMP_MODE_FILTER, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SYS_membarrier,
    SYS_socket, sock_filter, sock_fprog,
};

/// From now on this thread, and those that it starts, are poor.
pub(crate) fn begin() {
    let step = |code: u32, k: u32, jt, jf| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut filter = [
        // The number of the call.
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier as u32, 1, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket as u32, 0, 1),
        step(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM as u32, 0, 0),
        step(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the first call takes numbers only; the second reads the program, which is there for as long, and so are its steps.
    let begun = unsafe {
        libc::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &raw const program)
    };
    assert_eq!(begun, 0, "{}", std::io::Error::last_os_error());
}
