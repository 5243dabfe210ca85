//! hangar as an HTTP client of itself or of any Plane. Names no server module.
