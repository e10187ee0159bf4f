//! Allocation of ClusterIPs and NodePorts, as pure values.
