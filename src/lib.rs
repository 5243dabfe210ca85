#![doc = include_str!("README.md")]

pub mod admin;
pub mod app;
pub mod assets;
pub mod auth;
pub mod cache;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod db;
pub mod faults;
pub mod http;
mod owner;
pub mod s3;
pub mod store;
pub mod telemetry;
pub mod warnings;

#[cfg(test)]
mod tests {
    pub(crate) mod fuzz;
}
