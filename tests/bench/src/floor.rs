//! The floors: what the disk and the processor allow, with nothing of a server around them.

use crate::measure::{Measured, cpu_seconds, latencies, note};
use anyhow::Context;
use hdrhistogram::Histogram;
use md5::{Digest, Md5};
use sha2::Sha256;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A folder in which each new file is durable before the call returns.
pub(crate) struct Folder {
    path: PathBuf,
    handle: File,
    files: AtomicU64,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Self {
            path: path.to_owned(),
            handle: File::open(path).with_context(|| path.display().to_string())?,
            files: AtomicU64::new(0),
        })
    }

    /// Writes one more file: write, fdatasync, rename, fsync of the folder.
    pub(crate) fn keep(&self, body: &[u8]) -> std::io::Result<()> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let staged = self.path.join(format!("{number}.staged"));
        let mut file = File::create_new(&staged)?;
        file.write_all(body)?;
        file.sync_data()?;
        std::fs::rename(&staged, self.path.join(number.to_string()))?;
        self.handle.sync_all()
    }
}

#[derive(clap::Args)]
pub(crate) struct Small {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, default_value_t = 32)]
    threads: usize,
    #[arg(long, default_value_t = 51_200)]
    size: usize,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

impl Small {
    pub(crate) fn run(&self) -> anyhow::Result<Measured> {
        let folder = Folder::open(&self.folder)?;
        let body = noise(self.size);
        let cpu_before = cpu_seconds(&[std::process::id()])?;
        let started = Instant::now();
        let deadline = started + Duration::from_secs_f64(self.seconds);
        let mut all = latencies();
        std::thread::scope(|scope| -> anyhow::Result<()> {
            let writers: Vec<_> = (0..self.threads)
                .map(|_| scope.spawn(|| keep_until(deadline, &folder, &body)))
                .collect();
            for writer in writers {
                all.add(writer.join().expect("no writer panics")?)?;
            }
            Ok(())
        })?;
        let cpu = cpu_seconds(&[std::process::id()])? - cpu_before;
        Ok(Measured::new(&all, started.elapsed(), cpu))
    }
}

fn keep_until(deadline: Instant, folder: &Folder, body: &[u8]) -> anyhow::Result<Histogram<u64>> {
    let mut all = latencies();
    let mut before = Instant::now();
    while before < deadline {
        folder.keep(body)?;
        let after = Instant::now();
        note(&mut all, after - before);
        before = after;
    }
    Ok(all)
}

#[derive(clap::Args)]
pub(crate) struct Large {
    #[arg(long)]
    file: PathBuf,
    #[arg(long, default_value_t = 1 << 30)]
    size: usize,
}

impl Large {
    pub(crate) fn run(&self) -> anyhow::Result<Measured> {
        let body = noise(self.size);
        let cpu_before = cpu_seconds(&[std::process::id()])?;
        let started = Instant::now();
        std::thread::scope(|scope| -> anyhow::Result<()> {
            scope.spawn(|| std::hint::black_box(Sha256::digest(&body)));
            scope.spawn(|| std::hint::black_box(Md5::digest(&body)));
            scope.spawn(|| {
                let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &body);
                std::hint::black_box(crc)
            });
            let mut file = File::create(&self.file)?;
            for piece in body.chunks(1 << 20) {
                file.write_all(piece)?;
            }
            file.sync_all()?;
            Ok(())
        })?;
        let took = started.elapsed();
        let cpu = cpu_seconds(&[std::process::id()])? - cpu_before;
        let mut one = latencies();
        note(&mut one, took);
        let mut measured = Measured::new(&one, took, cpu);
        measured.bytes = self.size as u64;
        Ok(measured)
    }
}

/// Bytes that no disk can make smaller.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
