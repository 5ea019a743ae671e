//! Confinement of a worker: privileges that it drops before it reads any untrusted input.
//!
//! Each layer holds alone, and each is missing on some systems: user and network namespaces where
//! the system lets everybody make them, Landlock since Linux 5.13, resource limits and the list of
//! system calls everywhere. [`Confinement::begin`] gives up what a worker never needs, before the
//! code of a component is mapped; [`Confinement::finish`] leaves only the system calls that running
//! a guest or compiling one takes.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Processor time of a worker in its whole life, in seconds. The host replaces workers long before;
/// it ends one that computes although nobody asked it to.
const PROCESSOR_TIME: u64 = 600;
/// Open descriptors: the socket, the code, and what wasmtime opens for a moment.
const DESCRIPTORS: u64 = 32;

/// Role of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Validates and compiles components, and checks their documents. Runs no guest code.
    Compiler,
    /// Runs guest code.
    Guest,
}

/// Closes every descriptor but the socket, which is standard input. An embedder may have left
/// some open without close-on-exec, and standard output and error lead nowhere.
pub(super) fn close_inherited() -> io::Result<()> {
    let mut open: Vec<RawFd> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<RawFd>().ok()).filter(|fd| *fd > 0));
    }
    // The last one was the directory's, which is closed already.
    for fd in open {
        if rustix::io::fcntl_getfd(borrowed(fd)).is_ok() {
            #[allow(unsafe_code)]
            // SAFETY: the worker has just started. Nothing in it owns a descriptor but the standard
            // streams, which the worker does not write to.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
    Ok(())
}

fn borrowed(fd: RawFd) -> BorrowedFd<'static> {
    #[allow(unsafe_code)]
    // SAFETY: it is used for one call, which fails if the descriptor is not open.
    unsafe {
        BorrowedFd::borrow_raw(fd)
    }
}

/// Leaves the namespaces that the worker shares with its host, where the system allows it.
fn leave_namespaces() {
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
    #[allow(unsafe_code)]
    // SAFETY: the worker has one thread, and the flags share neither memory nor descriptors again.
    // Where this is refused, the other layers hold.
    unsafe {
        unshare_unsafe(flags).ok();
    }
}

/// Gives up files, network, and other processes. `files` are the descriptors that may be read or
/// written by their path below `/proc/self/fd`.
pub(super) fn begin(readable: &[BorrowedFd<'_>], data: u64) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let hard = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::Core, hard(0))?;
    setrlimit(Resource::Data, hard(data))?;
    setrlimit(Resource::Cpu, hard(PROCESSOR_TIME))?;
    setrlimit(Resource::Nofile, hard(DESCRIPTORS))?;
    setrlimit(Resource::Msgqueue, hard(0))?;
    setrlimit(Resource::Memlock, hard(0))?;
    leave_namespaces();
    restrict(readable).map_err(io::Error::other)
}

fn restrict(readable: &[BorrowedFd<'_>]) -> Result<(), landlock::RulesetError> {
    let abi = ABI::V6;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    for file in readable {
        // A file in memory has no place in a hierarchy, and needs no rule.
        let path = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        if path.is_ok_and(|path| path.to_string_lossy().starts_with("/memfd:")) {
            continue;
        }
        ruleset = ruleset.add_rule(PathBeneath::new(file, AccessFs::ReadFile))?;
    }
    ruleset.restrict_self()?;
    Ok(())
}

/// Leaves only the system calls that the role takes, for all threads. Others fail with `EPERM`.
pub(super) fn finish(role: Role) -> io::Result<()> {
    for program in [no_new_clone(), allowed(role)] {
        let program = program.map_err(io::Error::other)?;
        seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)?;
    }
    Ok(())
}

fn architecture() -> Result<TargetArch, seccompiler::BackendError> {
    std::env::consts::ARCH.try_into()
}

/// `clone3` passes its flags in memory, which a filter cannot read. The filter reports the call as
/// unsupported, so that the caller uses `clone`.
fn no_new_clone() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules = [(libc::SYS_clone3, Vec::new())].into();
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, missing, architecture()?)?.try_into()
}

fn allowed(role: Role) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> = [
        // The socket, and files that the host has opened.
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pwrite64,
        libc::SYS_recvmsg,
        libc::SYS_recvfrom,
        libc::SYS_sendto,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_lseek,
        libc::SYS_ftruncate,
        libc::SYS_ppoll,
        // Memory.
        libc::SYS_brk,
        libc::SYS_madvise,
        libc::SYS_mremap,
        libc::SYS_munmap,
        // An image of a guest's memory.
        libc::SYS_memfd_create,
        // Time, threads, signals, the end.
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_membarrier,
        libc::SYS_rseq,
        libc::SYS_set_robust_list,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_clone3,
    ]
    .into_iter()
    .map(|call| (call, Vec::new()))
    .collect();
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_poll, Vec::new());
    let argument = |index, mask: i32, value: i32| {
        let [mask, value] = [mask, value].map(|number| u64::from(number.unsigned_abs()));
        let operator = SeccompCmpOp::MaskedEq(mask);
        SeccompRule::new(vec![SeccompCondition::new(
            index,
            SeccompCmpArgLen::Qword,
            operator,
            value,
        )?])
    };
    // A signal only to a thread of this process: that is how a thread ends itself with `abort`.
    let own = u64::from(std::process::id());
    let to_self = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, own)?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![to_self])?]);
    // Seals of an image of memory; nothing else of `fcntl`.
    let command = |value: i32| {
        let value = u64::from(value.unsigned_abs());
        SeccompRule::new(vec![SeccompCondition::new(
            1,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            value,
        )?])
    };
    rules.insert(
        libc::SYS_fcntl,
        vec![command(libc::F_ADD_SEALS)?, command(libc::F_GETFD)?, command(libc::F_GETFL)?],
    );
    // Compiled code has been mapped by now: no memory becomes executable any more.
    let not_executable = || argument(2, libc::PROT_EXEC, 0);
    rules.insert(libc::SYS_mmap, vec![not_executable()?]);
    rules.insert(libc::SYS_mprotect, vec![not_executable()?]);
    if role == Role::Compiler {
        // Threads, not processes.
        rules.insert(libc::SYS_clone, vec![argument(0, libc::CLONE_THREAD, libc::CLONE_THREAD)?]);
        rules.insert(libc::SYS_prctl, vec![command_at_0(libc::PR_SET_NAME)?]);
    }
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, denied, SeccompAction::Allow, architecture()?)?.try_into()
}

fn command_at_0(value: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let value = u64::from(value.unsigned_abs());
    SeccompRule::new(vec![SeccompCondition::new(
        0,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        value,
    )?])
}
