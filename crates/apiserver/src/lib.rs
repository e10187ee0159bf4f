//! The API server: one generic path for every verb over the kind registry.
