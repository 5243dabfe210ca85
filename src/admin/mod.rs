//! The orders that a command sends to the process that holds the vault: the running server (over its administration
//! listener) or the command itself.
//!
//! One order in, one JSON value or one sentence out. It refuses to know how the order came.
mod carry_out;
mod housekeeping;
mod order;

pub use carry_out::{Holder, carry_out};
pub use housekeeping::{Cleared, FolderUse, Housekeeper, Ongoing};
pub use order::{Member, Order, PlaceOrder};
