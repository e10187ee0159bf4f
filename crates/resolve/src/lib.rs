//! All Service semantics of the dataplane: API objects in, Intent out.
