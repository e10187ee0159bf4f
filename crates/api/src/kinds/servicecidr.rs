//! ServiceCIDR: a range that ClusterIPs come from.

use serde_json::Value;

use super::column::Column;
use super::meta::{self, NameFormat};
use super::value::{Edit, Read};
use super::{Kind, Strategy, ip};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    group: "networking.k8s.io",
    namespaced: false,
    subresources: &["status"],
    columns: &[
        Column::NAME,
        Column::text("CIDRs", "The ranges.", |object, _| object.texts("spec.cidrs").join(",").into()),
        Column::AGE,
    ],
    strategy: &ServiceCidr,
    ..Kind::core("ServiceCIDR", "servicecidrs", "servicecidr", "io.k8s.api.networking.v1.ServiceCIDR")
};

const PATH: &str = "spec.cidrs";

struct ServiceCidr;

impl Strategy for ServiceCidr {
    fn prepare_create(&self, object: &mut Value) {
        object.unset("status");
    }

    fn prepare_update(&self, new: &mut Value, old: &Value) {
        new.copy("status", old);
    }

    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, false, NameFormat::Subdomain);
        errors.extend(cidrs(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        let (now, before) = (new.texts(PATH), old.texts(PATH));
        let fixed = |errors: &mut Vec<FieldError>, count: usize| {
            for index in 0..count {
                if now.get(index) != before.get(index) {
                    let value = now.get(index).copied().unwrap_or_default();
                    errors.push(FieldError::invalid(format!("{PATH}[{index}]"), value, "field is immutable"));
                }
            }
        };
        match (before.len(), now.len()) {
            (a, b) if a == b => fixed(&mut errors, a),
            (1, 2) => {
                fixed(&mut errors, 1);
                errors.extend(cidrs(new));
            }
            _ => {
                let value = new.list(PATH).to_vec();
                errors.push(FieldError::invalid(PATH, value, "field is immutable"));
            }
        }
        errors
    }
}

fn cidrs(object: &Value) -> Vec<FieldError> {
    let cidrs = object.texts(PATH);
    let invalid = |detail: &str| FieldError::invalid(PATH, object.list(PATH).to_vec(), detail);
    match cidrs.len() {
        0 => return vec![FieldError::required(PATH, "at least one CIDR required")],
        1 | 2 => {}
        _ => return vec![invalid("may only hold up to 2 values")],
    }
    let mut errors = Vec::new();
    for (index, cidr) in cidrs.iter().enumerate() {
        errors.extend(ip::validate_canonical_cidr(&format!("{PATH}[{index}]"), cidr));
    }
    if let [Some((a, _)), Some((b, _))] =
        cidrs.iter().map(|cidr| ip::sloppy_cidr(cidr)).collect::<Vec<_>>()[..]
        && a.is_ipv6() == b.is_ipv6()
    {
        errors.push(invalid(
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
        ));
    }
    errors
}
