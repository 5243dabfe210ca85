//! The server as its clients see it: each test has one of its own.

mod access;
mod app;
mod conditions;
mod content;
mod copies;
mod dependencies;
mod edge;
mod expect;
mod forms;
mod hostile;
mod house;
mod lists;
mod multipart;
mod objects;
mod tls;
