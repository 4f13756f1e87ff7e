//! Version 1.
#![forbid(unsafe_code)]
