//! The zone beyond what the recorded cases cover.
