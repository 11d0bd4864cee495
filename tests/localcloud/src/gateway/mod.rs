//! The HTTP face of the local cloud.
