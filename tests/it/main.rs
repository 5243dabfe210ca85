//! The server as its clients see it: each test has one of its own.

mod access;
mod app;
mod edge;
mod expect;
mod forms;
mod hostile;
mod house;
mod objects;
mod tls;
