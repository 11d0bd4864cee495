//! Micro-benchmarks of the pure core; see `merge.rs` and `diff.rs`. The benches of whole functions are the `bench` binary of `twinpool-tests`.
