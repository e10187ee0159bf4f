//! Name servers of `resolv.conf`.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

/// The servers a resolv.conf text names, in its order, on port 53. Lines that do not parse are left out.
pub fn nameservers(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("nameserver")).then(|| words.next())?
        })
        // Link-local servers carry a scope this has no use for.
        .filter_map(|address| address.parse::<IpAddr>().ok())
        .map(|address| SocketAddr::new(address, 53))
        .collect()
}

/// The servers this machine uses, from `/etc/resolv.conf`; none if it cannot be read.
pub fn system_nameservers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(Path::new("/etc/resolv.conf"));
    text.map(|text| nameservers(&text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf() {
        let text = "# c\nsearch a.b\nnameserver 192.0.2.1\n nameserver  2001:db8::1 # x\nnameserver\nnameserver x\n;nameserver 192.0.2.9\noptions ndots:5\n";
        let got: Vec<_> = nameservers(text).iter().map(ToString::to_string).collect();
        assert_eq!(got, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
