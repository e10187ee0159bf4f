//! Network namespaces, veth, bridges, addresses and routes; the sandbox.
