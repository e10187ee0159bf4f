//! Bodies as stock clients encode them, and damaged ones.

use portway_api::schema::schema;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SERVICE: Expected<'static> =
    Expected { group: "", version: "v1", kind: "Service", message: "io.k8s.api.core.v1.Service" };

/// Writes messages for tests.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn number(mut self, field: u64, value: u64) -> Self {
        for mut part in [field << 3, value] {
            loop {
                let low = (part & 0x7f) as u8;
                part >>= 7;
                self.0.push(if part == 0 { low } else { low | 0x80 });
                if part == 0 {
                    break;
                }
            }
        }
        self
    }

    fn bytes(mut self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.push((field << 3 | 2) as u8);
        assert!(bytes.len() < 1 << 14);
        if bytes.len() > 0x7f {
            self.0.push((bytes.len() & 0x7f) as u8 | 0x80);
            self.0.push((bytes.len() >> 7) as u8);
        } else {
            self.0.push(bytes.len() as u8);
        }
        self.0.extend(bytes);
        self
    }

    fn message(self, field: u64, message: Out) -> Self {
        self.bytes(field, message.0)
    }
}

fn envelope(api_version: &str, kind: &str, raw: Out) -> Vec<u8> {
    let type_meta = Out::default().bytes(1, api_version).bytes(2, kind);
    let unknown = Out::default().message(1, type_meta).message(2, raw).bytes(3, "").bytes(4, "");
    [MAGIC, &unknown.0].concat()
}

fn service() -> Out {
    let label = Out::default().bytes(1, "app").bytes(2, "web");
    let metadata = Out::default()
        .bytes(1, "web")
        .bytes(2, "")
        .bytes(3, "default")
        .number(7, 0)
        .message(8, Out::default())
        .message(11, label);
    let target = Out::default().number(1, 1).number(2, 0).bytes(3, "http");
    let port = Out::default().bytes(1, "").bytes(2, "TCP").number(3, 80).message(4, target).number(5, 0);
    let spec = Out::default().message(1, port).bytes(4, "NodePort").number(20, 0).number(99, 7);
    Out::default().message(1, metadata).message(2, spec).message(3, Out::default().message(1, Out::default()))
}

#[test]
fn a_service() {
    let decoded = object(&envelope("v1", "Service", service()), &SERVICE, schema()).unwrap();
    assert_eq!(decoded.value["metadata"]["name"], "web");
    assert_eq!(decoded.value["metadata"]["labels"], json!({"app": "web"}));
    assert_eq!(decoded.value["kind"], "Service");
    // A written zero counts where presence does.
    assert_eq!(decoded.value["spec"]["allocateLoadBalancerNodePorts"], json!(false));
    assert_eq!(decoded.value["spec"]["type"], "NodePort");
    assert_eq!(
        decoded.value["spec"]["ports"],
        json!([{"port": 80, "protocol": "TCP", "targetPort": "http"}])
    );
}

#[test]
fn what_the_envelope_says_counts() {
    let check = |body: Vec<u8>, expect: Option<&str>| {
        let result = object(&body, &SERVICE, schema()).map(|_| ()).map_err(|status| {
            assert_eq!(status.code, 400);
            status.message
        });
        match expect {
            None => assert_eq!(result, Ok(())),
            Some(text) => assert!(result.as_ref().is_err_and(|m| m.contains(text)), "{result:?}"),
        }
    };
    check(envelope("", "", service()), None);
    check(envelope("v1", "", service()), None);
    check(envelope("v1", "Pod", service()), Some("holds a Pod"));
    check(envelope("apps/v1", "Service", service()), Some("does not match"));
    check(b"{}".to_vec(), Some("prefix"));
    check(Vec::new(), Some("prefix"));
    check([MAGIC, &[0x12, 0x05, 1]].concat(), Some("cut off"));
    check(envelope("v1", "Service", Out::default().bytes(1, [0x0a, 0x02, 0xff, 0xff])), Some("UTF-8"));
    check(envelope("v1", "Service", Out::default().number(1, 3)), Some("wire type"));
}

#[test]
fn times_and_secrets() {
    let secret = Out::default()
        .message(1, Out::default().message(8, Out::default().number(1, 1_700_000_000).number(2, 5)))
        .message(2, Out::default().bytes(1, "k").bytes(2, [0, 1, 2]));
    let value = decode(schema(), "io.k8s.api.core.v1.Secret", &secret.0).unwrap();
    assert_eq!(value["metadata"]["creationTimestamp"], "2023-11-14T22:13:20Z");
    assert_eq!(value["data"], json!({"k": "AAEC"}));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), which in 0usize..4) {
        let message = ["Service", "Pod", "Node", "Event"][which];
        let _ = decode(schema(), &format!("io.k8s.api.core.v1.{message}"), &bytes);
        let _ = open(&bytes);
    }

    /// Any change of a good body is read or refused.
    #[test]
    fn damaged_bodies(at in 0usize..200, byte: u8) {
        let mut body = envelope("v1", "Service", service());
        let at = at % body.len();
        body[at] = byte;
        let _ = object(&body, &SERVICE, schema());
    }
}
