//! The server as its clients see it: each test has one of its own.

mod app;
mod house;
mod edge;
mod objects;
