//! Test support: builders, scenarios, seeded randomness.
