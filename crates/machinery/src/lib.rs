//! Generic API machinery, driven by the schema and the kind registry.
