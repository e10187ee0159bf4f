//! Routes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Netlink;
use super::wire::{AF_INET, AF_INET6, Message, address_of, attributes, family_of, flags, message, u32_at};
use crate::error::Result;

mod attribute {
    pub const DESTINATION: u16 = 1;
    pub const OUT: u16 = 4;
    pub const GATEWAY: u16 = 5;
    pub const PRIORITY: u16 = 6;
    pub const PREFERRED_SOURCE: u16 = 7;
    pub const TABLE: u16 = 15;
}

/// The main table.
const MAIN: u32 = 254;
/// The table of local addresses.
const LOCAL: u32 = 255;
const ONLINK: u32 = 4;
const PROTOCOL_STATIC: u8 = 4;
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
const SCOPE_HOST: u8 = 254;

/// What becomes of a packet that the route matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    /// It is sent on.
    #[default]
    Unicast,
    /// It is for this host.
    Local,
    /// It is dropped silently.
    Blackhole,
    /// The sender is told that there is no way.
    Unreachable,
}

impl RouteKind {
    const fn number(self) -> u8 {
        match self {
            Self::Unicast => 1,
            Self::Local => 2,
            Self::Blackhole => 6,
            Self::Unreachable => 7,
        }
    }
}

/// A route; build it with [`Route::to`] and the methods that follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Packets it is for; `0.0.0.0/0` or `::/0` for the default route.
    pub destination: IpNet,
    /// Next hop.
    pub via: Option<IpAddr>,
    /// Link that packets leave by.
    pub dev: Option<String>,
    /// The next hop is taken to be on the link whatever its address.
    pub onlink: bool,
    /// Preferred source address for the host's own packets.
    pub source: Option<IpAddr>,
    /// What becomes of the packet.
    pub kind: RouteKind,
    /// Lower wins; 0 is the kernel's default.
    pub metric: u32,
    /// Routing table; 254 is the main one.
    pub table: u32,
}

impl Route {
    /// A route for packets to `destination`.
    pub fn to(destination: IpNet) -> Self {
        Self {
            destination: destination.trunc(),
            via: None,
            dev: None,
            onlink: false,
            source: None,
            kind: RouteKind::Unicast,
            metric: 0,
            table: MAIN,
        }
    }

    /// The default route by way of `gateway`.
    pub fn default_via(gateway: IpAddr) -> Self {
        let all: IpNet = match gateway {
            IpAddr::V4(_) => Ipv4Net::default().into(),
            IpAddr::V6(_) => Ipv6Net::default().into(),
        };
        Self::to(all).via(gateway)
    }

    /// Packets to `destination` are for this host.
    pub fn local(destination: IpNet) -> Self {
        Self { kind: RouteKind::Local, table: LOCAL, ..Self::to(destination) }.dev("lo")
    }

    /// With this next hop.
    #[must_use]
    pub fn via(self, gateway: IpAddr) -> Self {
        Self { via: Some(gateway), ..self }
    }

    /// Out of this link.
    #[must_use]
    pub fn dev(self, link: impl Into<String>) -> Self {
        Self { dev: Some(link.into()), ..self }
    }

    /// The next hop is on the link even if no address of the link says so.
    #[must_use]
    pub fn onlink(self) -> Self {
        Self { onlink: true, ..self }
    }

    /// With this preferred source.
    #[must_use]
    pub fn source(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// With another fate than being sent on.
    #[must_use]
    pub fn kind(self, kind: RouteKind) -> Self {
        Self { kind, ..self }
    }

    /// With this metric.
    #[must_use]
    pub fn metric(self, metric: u32) -> Self {
        Self { metric, ..self }
    }
}

/// As `ip route` writes it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RouteKind::Unicast => {}
            RouteKind::Local => f.write_str("local ")?,
            RouteKind::Blackhole => f.write_str("blackhole ")?,
            RouteKind::Unreachable => f.write_str("unreachable ")?,
        }
        write!(f, "{}", self.destination)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(dev) = &self.dev {
            write!(f, " dev {dev}")?;
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        if self.metric != 0 {
            write!(f, " metric {}", self.metric)?;
        }
        if self.onlink { f.write_str(" onlink") } else { Ok(()) }
    }
}

impl Netlink {
    /// Adds a route.
    ///
    /// # Errors
    /// `Exists` when there is one to the same destination (with the same metric), `NotFound` without the link,
    /// `Other` when the next hop cannot be reached.
    pub fn add_route(&self, route: &Route) -> Result<()> {
        let m = self.request(message::NEW_ROUTE, flags::CREATE | flags::EXCLUSIVE, route)?;
        self.change(m, || format!("add route {route}"))
    }

    /// Adds a route, or puts it in the place of the one to the same destination.
    ///
    /// # Errors
    /// As [`Netlink::add_route`], without `Exists`.
    pub fn replace_route(&self, route: &Route) -> Result<()> {
        let m = self.request(message::NEW_ROUTE, flags::CREATE | flags::REPLACE, route)?;
        self.change(m, || format!("replace route {route}"))
    }

    /// Deletes a route.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn delete_route(&self, route: &Route) -> Result<()> {
        let m = self.request(message::DEL_ROUTE, 0, route)?;
        self.change(m, || format!("delete route {route}"))
    }

    /// Routes of the main table of both families, sorted by destination.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn routes(&self) -> Result<Vec<Route>> {
        let links = self.links()?;
        let name = |index: u32| links.iter().find(|l| l.index == index).map(|l| l.name.clone());
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let mut header = [0; 12];
            header[0] = family;
            let m = Message::new(message::GET_ROUTE, 0, &header);
            let mut each = |kind: u16, payload: &[u8]| found.extend(read(kind, payload, &name));
            self.dump(m, flags::DUMP, &mut each, || "list routes".into())?;
        }
        found.retain(|route| route.table == MAIN);
        found.sort();
        Ok(found)
    }

    fn request(&self, kind: u16, extra: u16, route: &Route) -> Result<Message> {
        let out = route.dev.as_deref().map(|dev| self.index(dev)).transpose()?;
        let v4 = route.destination.addr().is_ipv4();
        let scope = match (route.kind, v4) {
            // The kernel picks the scope of v6 routes, and any scope matches on delete.
            (_, false) => SCOPE_UNIVERSE,
            (RouteKind::Local, true) => SCOPE_HOST,
            (RouteKind::Unicast, true) if route.via.is_none() => SCOPE_LINK,
            _ => SCOPE_UNIVERSE,
        };
        // `rtmsg`: family, destination length, source length, tos, table, protocol, scope, type, flags.
        let mut header = [0; 12];
        header[0] = family_of(&route.destination.addr());
        header[1] = route.destination.prefix_len();
        header[5] = PROTOCOL_STATIC;
        header[6] = scope;
        header[7] = route.kind.number();
        if route.onlink {
            header[8..12].copy_from_slice(&ONLINK.to_ne_bytes());
        }
        let mut m = Message::new(kind, extra, &header);
        m.number(attribute::TABLE, route.table);
        if route.destination.prefix_len() > 0 {
            m.address(attribute::DESTINATION, route.destination.addr());
        }
        if let Some(via) = route.via {
            m.address(attribute::GATEWAY, via);
        }
        if let Some(out) = out {
            m.number(attribute::OUT, out);
        }
        if let Some(source) = route.source {
            m.address(attribute::PREFERRED_SOURCE, source);
        }
        if route.metric != 0 {
            m.number(attribute::PRIORITY, route.metric);
        }
        Ok(m)
    }
}

fn read(kind: u16, payload: &[u8], name: &dyn Fn(u32) -> Option<String>) -> Option<Route> {
    if kind != message::NEW_ROUTE {
        return None;
    }
    let all: IpAddr = match *payload.first()? {
        AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let kinds = [RouteKind::Unicast, RouteKind::Local, RouteKind::Blackhole, RouteKind::Unreachable];
    let route_kind = *payload.get(7)?;
    let mut route = Route {
        kind: kinds.into_iter().find(|k| k.number() == route_kind)?,
        table: u32::from(*payload.get(4)?),
        onlink: u32_at(payload, 8)? & ONLINK != 0,
        ..Route::to(IpNet::new(all, 0).ok()?)
    };
    for (kind, value) in attributes(payload.get(12..)?) {
        match kind {
            attribute::DESTINATION => {
                route.destination = IpNet::new(address_of(value)?, *payload.get(1)?).ok()?;
            }
            attribute::OUT => route.dev = name(u32_at(value, 0)?),
            attribute::GATEWAY => route.via = address_of(value),
            attribute::PREFERRED_SOURCE => route.source = address_of(value),
            attribute::PRIORITY => route.metric = u32_at(value, 0)?,
            attribute::TABLE => route.table = u32_at(value, 0)?,
            _ => {}
        }
    }
    Some(route)
}
