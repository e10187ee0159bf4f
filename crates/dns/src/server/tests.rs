//! Listeners beyond what the recorded cases cover.
