//! hangar as an HTTP client of itself or of any Plane: ask for an upload, send the form, look at the result.
//!
//! It speaks only what every client of Plane's API speaks (<https://developers.plane.so/api-reference/assets/overview>),
//! names no server module, and trusts nothing that a server sends: answers are bounded, redirects are not followed
//! (they would carry the token elsewhere), and what is shown of them holds no control characters.

mod connection;
mod error;
mod media_type;
#[cfg(test)]
mod tests;
mod transport;
mod upload;

pub use connection::{Answered, Client, Fetched};
pub use error::ClientError;
pub use media_type::media_type;
pub use transport::{Part, Trouble};
pub use upload::{Ask, Content, Progress, Reserved};
