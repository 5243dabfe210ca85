//! A closed loop over kept HTTP/1.1 connections: each sends its next request as soon as the answer before is whole.
//!
//! It shares the machine with the server that it measures, so it must cost little: requests come prepared, of an answer
//! only the head is looked at, and the body's bytes are counted and dropped in the kernel. Every answer's status and length
//! are checked, and each connection's first body to the byte; the first that is wrong ends the run with an error.

use crate::measure::{Measured, cpu_seconds, latencies, note};
use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// Each stands for the number of the request, and is as long.
const NUMBER: &[u8] = b"############";
const HEAD_BYTES: usize = 4096;
const DROPPED_BYTES: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(clap::Args)]
pub(crate) struct Load {
    #[arg(long)]
    port: u16,
    /// The requests to send in turn, each behind its length (4 bytes, little endian). Where one has `############`, the
    /// number of the request stands there.
    #[arg(long)]
    requests: PathBuf,
    /// The status that each answer must have.
    #[arg(long)]
    status: u16,
    /// The length in bytes that each body must have.
    #[arg(long)]
    length: Option<u64>,
    /// What the first body of each connection must be.
    #[arg(long)]
    body: Option<PathBuf>,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seconds before the measuring begins.
    #[arg(long, default_value_t = 0.5)]
    warmup: f64,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Ends after so many answers, counted from the first request on; there is no warming up.
    #[arg(long)]
    answers: Option<u64>,
    /// The number of the first request.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The processes whose CPU time is stated.
    #[arg(long)]
    pid: Vec<u32>,
}

/// What all threads share.
struct Plan {
    address: SocketAddr,
    requests: Vec<Request>,
    status: u16,
    length: Option<u64>,
    body: Option<Vec<u8>>,
    next: AtomicU64,
    /// No request with this number or a higher one is sent.
    end: u64,
    begins: Instant,
    ends: Instant,
}

struct Request {
    bytes: Vec<u8>,
    /// Where numbers stand, in the first `head_length` bytes.
    numbers: Vec<usize>,
    /// What a connection keeps a copy of.
    head_length: usize,
    /// The answer to HEAD has a length and no body.
    is_head: bool,
}

impl Load {
    pub(crate) fn run(&self) -> anyhow::Result<Measured> {
        let warmup = if self.answers.is_some() {
            0.0
        } else {
            self.warmup
        };
        let requests = parse_requests(&std::fs::read(&self.requests)?)?;
        let body = self.body.as_ref().map(std::fs::read).transpose()?;
        let begins = Instant::now() + Duration::from_secs_f64(warmup);
        let plan = Plan {
            address: SocketAddr::from(([127, 0, 0, 1], self.port)),
            requests,
            status: self.status,
            length: self.length,
            body,
            next: AtomicU64::new(self.from),
            end: self.answers.map_or(u64::MAX, |count| self.from + count),
            begins,
            ends: match self.answers {
                Some(_) => begins + Duration::from_hours(1),
                None => begins + Duration::from_secs_f64(self.seconds),
            },
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|thread| {
                    let share = (self.connections + thread) / self.threads;
                    let plan = &plan;
                    scope.spawn(move || Loop::connect(plan, share)?.run())
                })
                .collect();
            std::thread::sleep(plan.begins.saturating_duration_since(Instant::now()));
            let cpu_before = cpu_seconds(&self.pid)?;
            if self.answers.is_none() {
                // A thread that gave up is not waited for.
                while Instant::now() < plan.ends
                    && !threads.iter().any(ScopedJoinHandle::is_finished)
                {
                    let left = plan.ends.saturating_duration_since(Instant::now());
                    std::thread::sleep(left.min(Duration::from_millis(20)));
                }
            }
            let cpu_at_end = cpu_seconds(&self.pid)?;
            let mut all = Tally::default();
            for thread in threads {
                all.add(thread.join().expect("no thread panics")?)?;
            }
            ensure!(!all.latencies.is_empty(), "no answer came in time");
            let (took, cpu) = match self.answers {
                Some(_) => (all.last - plan.begins, cpu_seconds(&self.pid)?),
                None => (plan.ends - plan.begins, cpu_at_end),
            };
            let mut measured = Measured::new(&all.latencies, took, cpu - cpu_before);
            measured.bytes = all.bytes;
            measured.reconnects = all.reconnects;
            Ok(measured)
        })
    }
}

fn parse_requests(mut file: &[u8]) -> anyhow::Result<Vec<Request>> {
    let mut requests = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length))?;
        ensure!(rest.len() >= length, "the last request is cut short");
        let (bytes, rest) = rest.split_at(length);
        file = rest;
        // A body is no place for numbers: it may be long, and hold anything.
        let searched = &bytes[..bytes.len().min(HEAD_BYTES)];
        let numbers: Vec<usize> = (0..searched.len())
            .filter(|at| searched[*at..].starts_with(NUMBER))
            .collect();
        requests.push(Request {
            head_length: numbers.last().map_or(0, |at| at + NUMBER.len()),
            numbers,
            is_head: bytes.starts_with(b"HEAD "),
            bytes: bytes.to_vec(),
        });
    }
    ensure!(!requests.is_empty(), "there is no request in the file");
    Ok(requests)
}

struct Tally {
    latencies: Histogram<u64>,
    bytes: u64,
    reconnects: u64,
    last: Instant,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latencies: latencies(),
            bytes: 0,
            reconnects: 0,
            last: Instant::now(),
        }
    }
}

impl Tally {
    fn add(&mut self, other: Self) -> anyhow::Result<()> {
        self.latencies.add(other.latencies)?;
        self.bytes += other.bytes;
        self.reconnects += other.reconnects;
        self.last = self.last.max(other.last);
        Ok(())
    }
}

/// One thread's connections.
struct Loop<'a> {
    plan: &'a Plan,
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    tally: Tally,
    dropped: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Answers so far; the first is looked at to the byte.
    answers: u64,
    request: usize,
    /// The part of the request that has numbers in it.
    head: Vec<u8>,
    sent: usize,
    sent_at: Instant,
    /// What came of an answer until its head is whole, and all of it where the body is looked at.
    received: Vec<u8>,
    /// Of the body, once the head is known.
    left: Option<u64>,
    closes: bool,
    waits_to_send: bool,
    idle: bool,
}

impl<'a> Loop<'a> {
    fn connect(plan: &'a Plan, connections: usize) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let connections = (0..connections)
            .map(|index| Connection::open(plan, &epoll, index))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            plan,
            epoll,
            connections,
            tally: Tally::default(),
            dropped: vec![0; DROPPED_BYTES],
        })
    }

    fn run(mut self) -> anyhow::Result<Tally> {
        let mut events = Vec::with_capacity(self.connections.len().max(1));
        let mut busy = 0;
        for index in 0..self.connections.len() {
            busy += usize::from(self.send_next(index)?);
        }
        let patience = Timespec::try_from(PATIENCE)?;
        while busy > 0 {
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience))?;
            ensure!(!events.is_empty(), "no answer within {PATIENCE:?}");
            for event in events.drain(..) {
                let index = usize::try_from(event.data.u64())?;
                let flags = event.flags;
                if flags.contains(epoll::EventFlags::OUT) {
                    self.send_rest(index)?;
                }
                let comes = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
                if flags.intersects(comes) && self.receive(index)? {
                    self.answered(index)?;
                    busy -= usize::from(!self.send_next(index)?);
                }
            }
        }
        Ok(self.tally)
    }

    /// Whether there was a request left to send.
    fn send_next(&mut self, index: usize) -> anyhow::Result<bool> {
        let connection = &mut self.connections[index];
        let now = Instant::now();
        let number = self.plan.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.plan.end || now >= self.plan.ends {
            connection.idle = true;
            return Ok(false);
        }
        let requests = &self.plan.requests;
        connection.request = usize::try_from(number % requests.len() as u64)?;
        let request = &requests[connection.request];
        connection.head.clear();
        connection
            .head
            .extend_from_slice(&request.bytes[..request.head_length]);
        if !request.numbers.is_empty() {
            let digits = format!("{number:0width$}", width = NUMBER.len());
            for at in &request.numbers {
                connection.head[*at..at + NUMBER.len()].copy_from_slice(digits.as_bytes());
            }
        }
        connection.sent = 0;
        connection.sent_at = now;
        self.send_rest(index)?;
        Ok(true)
    }

    fn send_rest(&mut self, index: usize) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        let request = &self.plan.requests[connection.request];
        while connection.sent < request.bytes.len() {
            let (piece, more) = if connection.sent < request.head_length {
                (&connection.head[connection.sent..], SendFlags::MORE)
            } else {
                (&request.bytes[connection.sent..], SendFlags::empty())
            };
            match send(&connection.stream, piece, more | SendFlags::NOSIGNAL) {
                Ok(sent) => connection.sent += sent,
                Err(Errno::AGAIN) => return connection.watch(&self.epoll, index, true),
                // The answer, which may have come early, tells why.
                Err(Errno::PIPE | Errno::CONNRESET) => break,
                Err(error) => return Err(error).context("a request could not be sent"),
            }
        }
        connection.watch(&self.epoll, index, false)
    }

    /// Whether the answer is whole.
    fn receive(&mut self, index: usize) -> anyhow::Result<bool> {
        let connection = &mut self.connections[index];
        ensure!(!connection.idle, "an answer came to no request");
        let plan = self.plan;
        loop {
            let is_looked_at = connection.answers == 0 && plan.body.is_some();
            let (came, wanted) = match connection.left {
                Some(left) if !is_looked_at => {
                    let wanted =
                        usize::try_from(left).map_or(DROPPED_BYTES, |left| left.min(DROPPED_BYTES));
                    let into = &mut self.dropped[..wanted];
                    (recv(&connection.stream, into, RecvFlags::TRUNC), wanted)
                }
                left => {
                    let before = connection.received.len();
                    let wanted = if left.is_some() {
                        DROPPED_BYTES
                    } else {
                        HEAD_BYTES
                    };
                    connection.received.resize(before + wanted, 0);
                    let into = &mut connection.received[before..];
                    let came = recv(&connection.stream, into, RecvFlags::empty());
                    let kept = came.as_ref().map_or(0, |(_, came)| *came);
                    connection.received.truncate(before + kept);
                    (came, wanted)
                }
            };
            let came = match came {
                Ok((_, 0)) => bail!(
                    "the connection was closed within an answer: {}",
                    String::from_utf8_lossy(&connection.received)
                ),
                Ok((_, came)) => came,
                Err(Errno::AGAIN) => return Ok(false),
                Err(error) => return Err(error).context("an answer could not be read"),
            };
            self.tally.bytes += came as u64;
            if let Some(left) = &mut connection.left {
                let came = came as u64;
                ensure!(came <= *left, "an answer is longer than it says");
                *left -= came;
            } else {
                connection.read_head(plan)?;
            }
            if connection.left == Some(0) {
                return Ok(true);
            }
            if came < wanted {
                // Most likely that was all for now: one call less than to be told so.
                return Ok(false);
            }
        }
    }

    fn answered(&mut self, index: usize) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        let now = Instant::now();
        if let Some(body) = self.plan.body.as_ref().filter(|_| connection.answers == 0) {
            let is_head = self.plan.requests[connection.request].is_head;
            ensure!(
                is_head || connection.received.ends_with(body),
                "an answer has other bytes than it must have"
            );
        }
        if now >= self.plan.begins && now <= self.plan.ends {
            note(&mut self.tally.latencies, now - connection.sent_at);
            self.tally.last = now;
        }
        connection.answers += 1;
        connection.received.clear();
        connection.left = None;
        if connection.closes {
            let answers = connection.answers;
            *connection = Connection::open(self.plan, &self.epoll, index)?;
            connection.answers = answers;
            self.tally.reconnects += 1;
        }
        Ok(())
    }
}

impl Connection {
    fn open(plan: &Plan, epoll: &rustix::fd::OwnedFd, index: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(plan.address).context("nobody listens there")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(epoll, &stream, data, epoll::EventFlags::IN)?;
        Ok(Self {
            stream,
            answers: 0,
            request: 0,
            head: Vec::new(),
            sent: 0,
            sent_at: Instant::now(),
            received: Vec::with_capacity(HEAD_BYTES),
            left: None,
            closes: false,
            waits_to_send: false,
            idle: false,
        })
    }

    fn watch(
        &mut self,
        epoll: &rustix::fd::OwnedFd,
        index: usize,
        to_send: bool,
    ) -> anyhow::Result<()> {
        if self.waits_to_send != to_send {
            self.waits_to_send = to_send;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, to_send);
            epoll::modify(
                epoll,
                &self.stream,
                epoll::EventData::new_u64(index as u64),
                flags,
            )?;
        }
        Ok(())
    }

    /// Looks at the head, where it is whole, and says how much of the body is to come.
    fn read_head(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let mut headers = [httparse::EMPTY_HEADER; 48];
        let mut answer = httparse::Response::new(&mut headers);
        let parsed = answer
            .parse(&self.received)
            .context("an answer is no HTTP")?;
        let httparse::Status::Complete(head) = parsed else {
            return Ok(());
        };
        let status = answer.code.unwrap_or(0);
        if status != plan.status {
            bail!(
                "not {} but:\n{}",
                plan.status,
                String::from_utf8_lossy(&self.received)
            );
        }
        let value = |name: &str| {
            let found = answer
                .headers
                .iter()
                .find(|one| one.name.eq_ignore_ascii_case(name));
            found.and_then(|one| std::str::from_utf8(one.value).ok())
        };
        self.closes = answer.version == Some(0)
            || value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let stated: Option<u64> = value("content-length").map(str::parse).transpose()?;
        let is_bare = status == 204 || status == 304;
        let length = match stated {
            Some(length) => length,
            None if is_bare => 0,
            None => bail!(
                "an answer has no length:\n{}",
                String::from_utf8_lossy(&self.received)
            ),
        };
        if let Some(wanted) = plan.length {
            ensure!(
                length == wanted,
                "an answer of {length} bytes and not {wanted}"
            );
        }
        let follows = if is_bare || plan.requests[self.request].is_head {
            0
        } else {
            length
        };
        let came = (self.received.len() - head) as u64;
        ensure!(came <= follows, "an answer is longer than it says");
        self.left = Some(follows - came);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Loads one connection with ten requests, each answered with `answer`, that must get a 200 and the body `body`.
    fn load(answer: &'static str, body: &str) -> anyhow::Result<Measured> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut request = [0; 64];
                while stream.read(&mut request).is_ok_and(|came| came > 0) {
                    let written = stream.write_all(answer.as_bytes());
                    if written.is_err() || answer.contains("close") {
                        break;
                    }
                }
            }
        });
        let folder = tempfile::tempdir()?;
        let request = b"GET /############ HTTP/1.1\r\n\r\n";
        let length = u32::try_from(request.len())?.to_le_bytes();
        std::fs::write(
            folder.path().join("requests"),
            [&length, &request[..]].concat(),
        )?;
        std::fs::write(folder.path().join("body"), body)?;
        let load = Load {
            port,
            requests: folder.path().join("requests"),
            status: 200,
            length: Some(body.len() as u64),
            body: Some(folder.path().join("body")),
            connections: 1,
            threads: 1,
            warmup: 0.0,
            seconds: 0.0,
            answers: Some(10),
            from: 0,
            pid: Vec::new(),
        };
        load.run()
    }

    #[test]
    fn every_answer_is_counted_once() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let measured = load(answer, "hello").expect("all answers are right");
        assert_eq!((measured.answers, measured.reconnects), (10, 0));
        assert_eq!(measured.bytes, 10 * answer.len() as u64);
    }

    #[test]
    fn a_connection_that_the_server_closes_is_made_again() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let measured = load(answer, "hello").expect("all answers are right");
        assert_eq!((measured.answers, measured.reconnects), (10, 10));
    }

    #[test]
    fn a_wrong_answer_ends_the_run() {
        for (answer, complaint) in [
            (
                "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhello",
                "503 No",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell",
                "of 4 bytes",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhullo",
                "other bytes",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
                "longer",
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", "no length"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: close\r\n\r\nhell",
                "within",
            ),
            ("SSH-2.0-OpenSSH\r\n", "no HTTP"),
        ] {
            let error = load(answer, "hello").err().expect(answer);
            assert!(format!("{error:#}").contains(complaint), "{error:#}");
        }
    }
}
