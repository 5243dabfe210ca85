//! What hangar's speed is measured with: a load, and the floors that it is held against.
//!
//! Every command prints one line of JSON, a [`measure::Measured`], and ends with an error at the first wrong answer.

mod bare;
mod floor;
mod load;
mod measure;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
enum Command {
    /// Send prepared requests over kept connections, each as soon as the answer before it is whole.
    Load(load::Load),
    /// Write small files durably: write, fdatasync, rename, fsync of the folder.
    FloorSmall(floor::Small),
    /// Write one large file durably, while each digest runs on a thread of its own.
    FloorLarge(floor::Large),
    /// Serve one answer from memory, and take uploads as the floor writes them: what HTTP itself costs.
    Bare(bare::Bare),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Load(load) => load.run()?.print(),
        Command::FloorSmall(floor) => floor.run()?.print(),
        Command::FloorLarge(floor) => floor.run()?.print(),
        Command::Bare(bare) => bare.run(),
    }
}
