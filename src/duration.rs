//! Durations as text.
