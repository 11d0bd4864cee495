//! What the adapters assume of AWS, put to independent stand-ins: one suite per adapter, run over each of them.
//!
//! Invariant: a suite knows nothing about the stand-in that it runs over. What one of them gets wrong is not asked of it, and
//! the place where it is left out says why.

mod pool;
mod queue;
mod table;
