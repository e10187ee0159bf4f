//! The nftables backend: render, diff, trace, netlink.
