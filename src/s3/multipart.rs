//! Multipart uploads as values: part numbers, ETags and checksums of the whole, and what Complete states.
