//! The node agent: Pods as processes in their own network namespaces.
