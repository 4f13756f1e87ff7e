//! The guest workloads.
