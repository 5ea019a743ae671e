//! The worker of the end-to-end tests; with `take-over`, a worker that was taken over: it is confined
//! as any other and then tries, in native code, what no guest code could say.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [name, layers, file, address, parent] if name == "take-over" => {
            let is_seccomp_missing = layers == "without-seccomp";
            let confined = workflow_node_host::worker::confine_for_test(is_seccomp_missing);
            confined.expect("it is confined");
            take_over(file, address, parent)
        }
        _ => workflow_node_host::worker::run(),
    }
}

/// Reports each attempt on the socket.
fn take_over(file: &str, address: &str, parent: &str) -> ExitCode {
    let mut socket = socket();
    let mut report = |attempt: &str, result: Result<(), std::io::Error>| {
        let line = match result {
            Ok(()) => format!("COULD {attempt}\n"),
            Err(error) => format!("could not {attempt}: {error}\n"),
        };
        socket.write_all(line.as_bytes()).expect("the socket is open");
    };
    report("read a file", std::fs::read(file).map(drop));
    report("write a file", std::fs::write(file, "x"));
    report("make a file", std::fs::write(format!("{file}.new"), "x"));
    report("remove a file", std::fs::remove_file(file));
    report("list a directory", std::fs::read_dir("/").map(drop));
    report("read /etc/passwd", std::fs::read("/etc/passwd").map(drop));
    report("look at a file", std::fs::metadata(file).map(drop));
    for name in ["environ", "mem", "maps", "fd/0", "cmdline"] {
        let path = format!("/proc/{parent}/{name}");
        report(&format!("open the host's {name}"), std::fs::File::open(path).map(drop));
    }
    report("read its own environment", std::fs::read("/proc/self/environ").map(drop));
    report("connect by TCP", std::net::TcpStream::connect(address).map(drop));
    report("bind a TCP port", std::net::TcpListener::bind("127.0.0.1:0").map(drop));
    report("bind a UDP port", std::net::UdpSocket::bind("127.0.0.1:0").map(drop));
    report("make a socket pair", UnixStream::pair().map(drop));
    report(
        "connect to a Unix socket",
        UnixStream::connect("/run/dbus/system_bus_socket").map(drop),
    );
    report(
        "run a program",
        std::process::Command::new("/bin/true").spawn().map(|mut child| drop(child.wait())),
    );
    for (name, result) in system_calls(parent.parse().expect("a process ID")) {
        report(name, result);
    }
    socket.write_all(b"done\n").expect("the socket is open");
    ExitCode::SUCCESS
}

fn socket() -> UnixStream {
    #[allow(unsafe_code)]
    // SAFETY: standard input is the socket, and nothing else uses it.
    unsafe {
        std::os::fd::FromRawFd::from_raw_fd(0)
    }
}

/// Attempts that the standard library does not offer.
#[cfg(target_os = "linux")]
fn system_calls(parent: i32) -> Vec<(&'static str, Result<(), std::io::Error>)> {
    let done = |result: i64| match result {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    };
    let size = 4096;
    #[allow(unsafe_code)]
    // SAFETY: none of these touches memory of this process; each fails, or the test does.
    unsafe {
        let null = std::ptr::null_mut::<libc::c_void>();
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(null, size, writable, anonymous, -1, 0);
        vec![
            ("fork", done(libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0))),
            ("signal its host", done(i64::from(libc::kill(parent, 0)))),
            ("trace its host", done(libc::ptrace(libc::PTRACE_ATTACH, parent, null, null))),
            (
                "read its host's memory",
                done(libc::process_vm_readv(parent, std::ptr::null(), 0, std::ptr::null(), 0, 0)
                    as i64),
            ),
            (
                "make memory executable",
                done(i64::from(libc::mprotect(page, size, libc::PROT_READ | libc::PROT_EXEC))),
            ),
            (
                "map executable memory",
                done(match libc::mmap(null, size, libc::PROT_EXEC, anonymous, -1, 0) {
                    libc::MAP_FAILED => -1,
                    _ => 0,
                }),
            ),
            ("change its user", done(i64::from(libc::setuid(0)))),
            ("leave its root", done(i64::from(libc::chroot(c"/tmp".as_ptr())))),
            ("mount", done(i64::from(libc::umount(c"/proc".as_ptr())))),
            ("raise a limit", {
                let limit = libc::rlimit { rlim_cur: 1 << 40, rlim_max: 1 << 40 };
                done(i64::from(libc::setrlimit(libc::RLIMIT_DATA, &raw const limit)))
            }),
            ("make an io_uring", done(libc::syscall(libc::SYS_io_uring_setup, 1, null))),
            ("load a BPF program", done(libc::syscall(libc::SYS_bpf, 0, null, 0))),
            ("use a key ring", done(libc::syscall(libc::SYS_keyctl, 0, 0, 0))),
            ("watch faults", done(libc::syscall(libc::SYS_userfaultfd, 0))),
            ("open by a handle", done(libc::syscall(libc::SYS_open_by_handle_at, 0, null, 0))),
            ("get a descriptor of its host", done(libc::syscall(libc::SYS_pidfd_open, parent, 0))),
            ("make a message queue", done(i64::from(libc::msgget(libc::IPC_PRIVATE, 0o600)))),
            ("share memory", done(i64::from(libc::shmget(libc::IPC_PRIVATE, size, 0o600)))),
        ]
    }
}
