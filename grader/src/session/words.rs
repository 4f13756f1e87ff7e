//! What was seen, in words.
