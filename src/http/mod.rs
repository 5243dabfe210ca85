//! The edge: the only module that knows actix. The route table is on this screen.
