//! Nothing that is started survives: a PID namespace around the rest of the program.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::mount::MountFlags;
use rustix::thread::UnshareFlags;

use super::unshare;
use crate::error::{Context, Error, Result};

/// Goes on in a PID namespace of its own. Call it right after [`enter`](super::enter), while one thread runs.
///
/// The calling process stays behind: it passes signals on, waits, and ends as the program does. When the program
/// ends, or the process that stayed behind is killed, everything that was started inside is killed, even what
/// has detached itself.
///
/// Gives the id of the process that goes on, as seen from outside; inside it has another.
///
/// # Errors
/// What the kernel says of the namespace or the fork.
pub fn contain() -> Result<u32> {
    let what = || "contain the processes of the sandbox";
    unshare(UnshareFlags::NEWPID).context(what)?;
    if let Some(init) = fork().map_err(|e| Error::new(what(), e))? {
        pass_signals_to(init);
        std::process::exit(wait_for(init));
    }
    // PID 1 of the namespace: kept apart from the program, because it has to reap whatever is left over.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).context(what)?;
    if let Some(program) = fork().map_err(|e| Error::new(what(), e))? {
        pass_signals_to(program);
        std::process::exit(wait_for(program));
    }
    // Still the surroundings' view: the link names this process by its outer id.
    let outside = fs::read_link("/proc/self").context(what)?;
    // Some surroundings hide parts of /proc and forbid a new one; then numbers in /proc are those from outside.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", "/proc", "proc", flags, None).ok();
    Ok(outside.to_str().and_then(|pid| pid.parse().ok()).unwrap_or_else(std::process::id))
}

/// The child's id; `None` in the child.
#[allow(unsafe_code)]
fn fork() -> io::Result<Option<i32>> {
    // SAFETY: the process has one thread, so the child may do whatever the parent could.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reaps every child until `main` has ended; gives its exit code, or 128 + N after signal N.
#[allow(unsafe_code)]
fn wait_for(main: i32) -> i32 {
    loop {
        let mut status = 0;
        // SAFETY: `status` outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if pid == main && libc::WIFEXITED(status) {
            return libc::WEXITSTATUS(status);
        }
        if pid == main {
            return 128 + libc::WTERMSIG(status);
        }
        if pid < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return 1;
        }
    }
}

/// Whom signals are passed on to.
static NEXT: AtomicI32 = AtomicI32::new(0);

#[allow(unsafe_code)]
fn pass_signals_to(pid: i32) {
    NEXT.store(pid, Ordering::SeqCst);
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = pass;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2] {
        // SAFETY: the structure is wholly set; the handler does nothing but one system call.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

#[allow(unsafe_code)]
extern "C" fn pass(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes valid information, and kill(2) may be called from a handler.
    unsafe {
        // What a terminal sends (a positive code), the program has received itself.
        if (*info).si_code <= 0 {
            libc::kill(NEXT.load(Ordering::SeqCst), signal);
        }
    }
}
