//! The loop of PID 1: output to the log, requests, reaping, the record of the end.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Stdio};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags};

use super::child;
use super::log::{Lines, LogFile};
use super::order::{Answer, Order, Record, Request};

/// Bytes of a command's output that are kept.
const OUTPUT: usize = 10 * 1024;
/// Bytes a request may have.
const REQUEST: usize = 64 * 1024;

pub(super) struct Supervisor<'a> {
    order: &'a Order,
    listener: UnixListener,
    main: i32,
    output: Vec<(OwnedFd, Lines)>,
    log: LogFile,
    record: Record,
    connections: Vec<Connection>,
}

struct Connection {
    stream: UnixStream,
    received: Vec<u8>,
    exec: Option<Exec>,
    open: bool,
}

/// A command running for a connection.
struct Exec {
    pid: i32,
    pipe: io::PipeReader,
    output: Vec<u8>,
    /// The pipe has ended, though the command has not.
    silent: bool,
}

impl Exec {
    /// Takes what there is in the pipe, so that the command is never held up; what is too much is dropped.
    fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while !self.silent {
            match self.pipe.read(&mut buffer) {
                Ok(0) => self.silent = true,
                Ok(n) => {
                    let room = OUTPUT - self.output.len();
                    self.output.extend_from_slice(&buffer[..n.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }
}

impl<'a> Supervisor<'a> {
    pub fn new(
        order: &'a Order,
        listener: UnixListener,
        mut child: Child,
        log: LogFile,
        record: Record,
    ) -> Self {
        let main = child.id() as i32;
        let mut output = Vec::new();
        output.extend(child.stdout.take().map(|pipe| (OwnedFd::from(pipe), Lines::new("stdout"))));
        output.extend(child.stderr.take().map(|pipe| (OwnedFd::from(pipe), Lines::new("stderr"))));
        Self { order, listener, main, output, log, record, connections: Vec::new() }
    }

    /// Serves until the container's process has ended.
    pub fn serve(mut self) {
        let Ok(children) = child_signals() else { return };
        self.listener.set_nonblocking(true).ok();
        for (pipe, _) in &self.output {
            rustix::io::ioctl_fionbio(pipe, true).ok();
        }
        // A child may have ended before its signal could be seen.
        while !self.reap() {
            self.wait_and_handle(&children);
        }
        self.finish();
    }

    fn wait_and_handle(&mut self, children: &OwnedFd) {
        let mut fds = vec![
            PollFd::from_borrowed_fd(children.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN),
        ];
        fds.extend(self.output.iter().map(|(pipe, _)| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)));
        fds.extend(
            self.connections.iter().map(|c| PollFd::from_borrowed_fd(c.stream.as_fd(), PollFlags::IN)),
        );
        let running = || self.connections.iter().filter_map(|c| c.exec.as_ref()).filter(|exec| !exec.silent);
        fds.extend(running().map(|exec| PollFd::from_borrowed_fd(exec.pipe.as_fd(), PollFlags::IN)));
        if rustix::event::poll(&mut fds, None).is_err() {
            return;
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready[0] {
            // The descriptor holds as much as can be told; `reap` finds out who it was.
            rustix::io::read(children, &mut [0u8; 1024]).ok();
        }
        let pipes = self.output.len();
        let mut at = 0;
        self.output.retain_mut(|(pipe, lines)| {
            at += 1;
            !ready[1 + at] || copy(pipe, lines, &mut self.log)
        });
        for exec in self.connections.iter_mut().filter_map(|c| c.exec.as_mut()) {
            exec.drain();
        }
        for (connection, _) in self.connections.iter_mut().zip(&ready[2 + pipes..]).filter(|(_, r)| **r) {
            connection.receive(self.order, self.main);
        }
        self.connections.retain(|connection| connection.open);
        if ready[1]
            && let Ok((stream, _)) = self.listener.accept()
        {
            stream.set_nonblocking(true).ok();
            self.connections.push(Connection { stream, received: Vec::new(), exec: None, open: true });
        }
    }

    /// Collects every child that has ended; true once the container's own process is among them.
    #[allow(unsafe_code)]
    fn reap(&mut self) -> bool {
        loop {
            let mut status = 0;
            // SAFETY: `status` outlives the call. PID 1 owns every process of the namespace.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
            if pid <= 0 {
                return false;
            }
            let signal = if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 };
            let code = if signal > 0 { 128 + signal } else { libc::WEXITSTATUS(status) };
            if pid == self.main {
                self.record =
                    Record { finished: Some(Timestamp::now()), code, signal, ..self.record.clone() };
                return true;
            }
            for connection in &mut self.connections {
                connection.ended(pid, code);
            }
            self.connections.retain(|connection| connection.open);
        }
    }

    /// Ends whatever the process left behind, saves its last words, and records the end.
    #[allow(unsafe_code)]
    fn finish(mut self) {
        kill_all();
        loop {
            // SAFETY: a null status pointer is allowed. Returns an error once there are no children left.
            if unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } < 0
                && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted
            {
                break;
            }
        }
        let now = Timestamp::now();
        for (mut pipe, mut lines) in self.output {
            copy(&mut pipe, &mut lines, &mut self.log);
            lines.end(now, &mut self.log);
        }
        self.record.write(&self.order.dir).ok();
    }
}

impl Connection {
    /// Reads what came: a request, or the end.
    fn receive(&mut self, order: &Order, main: i32) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => {
                self.open = false;
                if let Some(exec) = &self.exec {
                    kill_group(exec.pid);
                }
            }
            Ok(n) if self.received.len() + n <= REQUEST && self.exec.is_none() => {
                self.received.extend_from_slice(&buffer[..n]);
                if let Some(end) = self.received.iter().position(|b| *b == b'\n') {
                    let request = serde_json::from_slice(&self.received[..end]);
                    self.received.clear();
                    match request {
                        Ok(request) => self.handle(request, order, main),
                        Err(_) => self.open = false,
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => self.open = false,
        }
    }

    fn handle(&mut self, request: Request, order: &Order, main: i32) {
        match request {
            Request::Signal(signal) => kill(main, signal),
            Request::Kill => kill_all(),
            Request::Exec(argv) => match start_exec(order, &argv) {
                Ok(exec) => self.exec = Some(exec),
                Err(output) => self.answer(&Answer { code: -1, output }),
            },
        }
    }

    /// A child has ended; if it was this connection's, answers.
    fn ended(&mut self, pid: i32, code: i32) {
        let Some(mut exec) = self.exec.take_if(|exec| exec.pid == pid) else { return };
        exec.drain();
        self.answer(&Answer { code, output: String::from_utf8_lossy(&exec.output).into_owned() });
    }

    fn answer(&mut self, answer: &Answer) {
        if let Ok(mut text) = serde_json::to_vec(answer) {
            text.push(b'\n');
            self.stream.write_all(&text).ok();
        }
        self.open = false;
    }
}

fn start_exec(order: &Order, argv: &[String]) -> Result<Exec, String> {
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let mut command = child::command(order, &argv)?;
    let failed = |e: io::Error| format!("cannot run {:?}: {e}", argv[0]);
    let (pipe, writer) = io::pipe().map_err(failed)?;
    rustix::io::ioctl_fionbio(&pipe, true).map_err(|e| failed(e.into()))?;
    command.stdout(Stdio::from(writer.try_clone().map_err(failed)?)).stderr(Stdio::from(writer));
    let child = command.spawn().map_err(failed)?;
    Ok(Exec { pid: child.id() as i32, pipe, output: Vec::new(), silent: false })
}

/// Moves what there is from a pipe to the log; false at its end.
fn copy(pipe: &mut OwnedFd, lines: &mut Lines, log: &mut LogFile) -> bool {
    let mut buffer = [0; 32 * 1024];
    loop {
        match rustix::io::read(&*pipe, &mut buffer) {
            Ok(0) => {
                lines.end(Timestamp::now(), log);
                return false;
            }
            Ok(n) => lines.take(&buffer[..n], Timestamp::now(), log),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return true,
            Err(_) => return false,
        }
    }
}

/// A descriptor that can be read whenever a child has ended.
#[allow(unsafe_code)]
fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before use and outlives the calls; the descriptor is new and ours alone.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

#[allow(unsafe_code)]
fn kill(pid: i32, signal: i32) {
    // SAFETY: a plain system call; a process that is gone is no error here.
    unsafe { libc::kill(pid, signal) };
}

/// A command runs in a session of its own: its group is everything it started, short of other sessions.
fn kill_group(pid: i32) {
    kill(-pid, libc::SIGKILL);
}

/// Everything in the PID namespace but its PID 1, which is us. Anywhere else it would be everything there is.
fn kill_all() {
    if std::process::id() == 1 {
        kill(-1, libc::SIGKILL);
    }
}
