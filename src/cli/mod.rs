//! What people type. One file per command family.
