//! ExternalName Services and where they lead.

use expect_test::expect;

use super::world::{alias, namespace, service};
use super::{check, zone};

#[test]
fn aliases_that_lead_nowhere() {
    let mut objects =
        vec![namespace("ns"), alias("ns/ip", "10.1.2.3"), alias("ns/self", "self.ns.svc.cluster.local")];
    for i in 0..12 {
        objects.push(alias(&format!("ns/hop{i}"), &format!("hop{}.ns.svc.cluster.local", i + 1)));
    }
    objects.push(service("ns/hop12", "10.96.1.1", &[]));
    objects.push(alias("ns/out", "Elsewhere.example."));
    let zone = zone(|_| {}, &objects);
    check(
        &zone,
        &[
            "ip.ns.svc.cluster.local A",
            "ip.ns.svc.cluster.local CNAME",
            "self.ns.svc.cluster.local A",
            "hop0.ns.svc.cluster.local A",
            "hop11.ns.svc.cluster.local A",
            "hop11.ns.svc.cluster.local AAAA",
            "out.ns.svc.cluster.local A",
            "out.ns.svc.cluster.local TXT",
            "x.out.ns.svc.cluster.local A",
        ],
        expect![[r#"
            ip.ns.svc.cluster.local A: NXDOMAIN cluster.local.
            ip.ns.svc.cluster.local CNAME: NXDOMAIN cluster.local.
            self.ns.svc.cluster.local A: NOERROR cluster.local.
            hop0.ns.svc.cluster.local A: NOERROR cluster.local.
            hop11.ns.svc.cluster.local A: NOERROR
            hop11.ns.svc.cluster.local. 30 IN CNAME hop12.ns.svc.cluster.local.
            hop12.ns.svc.cluster.local. 30 IN A 10.96.1.1
            hop11.ns.svc.cluster.local AAAA: NOERROR cluster.local.
            out.ns.svc.cluster.local A: follow Elsewhere.example.
            out.ns.svc.cluster.local. 30 IN CNAME Elsewhere.example.
            out.ns.svc.cluster.local TXT: NOERROR cluster.local.
            x.out.ns.svc.cluster.local A: NXDOMAIN cluster.local.
        "#]],
    );
}
