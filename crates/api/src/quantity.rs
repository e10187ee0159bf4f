//! Resource quantities: `500m`, `1.5Gi`, `2e3`.

use std::cmp::Ordering;

/// How a quantity is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `k`, `M`, `m`: powers of 1000.
    Decimal,
    /// `Ki`, `Mi`: powers of 1024.
    Binary,
    /// `e3`.
    Exponent,
}

/// A quantity, exact to a billionth.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// Billionths.
    nano: i128,
    form: Form,
}

const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const ONE: i128 = 1_000_000_000;

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseQuantityError;

impl std::fmt::Display for ParseQuantityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        )
    }
}

impl std::error::Error for ParseQuantityError {}

impl Quantity {
    /// In whole units, rounded up.
    pub fn ceil(self) -> i128 {
        self.nano.div_euclid(ONE) + i128::from(self.nano.rem_euclid(ONE) != 0)
    }

    /// In thousandths, rounded up.
    pub fn milli(self) -> i128 {
        let milli = ONE / 1000;
        self.nano.div_euclid(milli) + i128::from(self.nano.rem_euclid(milli) != 0)
    }

    /// Below zero.
    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// Zero.
    pub fn is_zero(self) -> bool {
        self.nano == 0
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl std::str::FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or(ParseQuantityError)
    }
}

fn parse(text: &str) -> Option<Quantity> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (form, base, exponent) = scale(suffix)?;
    // The digits as one integer, and where the point stands.
    let digits: String = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    let places = i32::try_from(fraction.len()).ok()?;
    let mut nano: i128 =
        if digits.is_empty() { 0 } else { digits.get(..digits.len().min(30))?.parse().ok()? };
    // More than 30 digits: what was cut off counts as zeros.
    let cut = i32::try_from(digits.len().saturating_sub(30)).ok()?;
    let ten = cut - places + 9 + if base == 10 { exponent } else { 0 };
    if base == 1024 {
        nano = nano.saturating_mul(1024i128.saturating_pow(u32::try_from(exponent).ok()?));
    }
    nano = if nano == 0 {
        0
    } else if ten >= 0 {
        nano.saturating_mul(10i128.saturating_pow(u32::try_from(ten).ok()?))
    } else {
        // Upstream rounds up what is finer than a billionth.
        let divisor = 10i128.saturating_pow(u32::try_from(-ten).ok()?);
        nano / divisor + i128::from(nano % divisor != 0)
    };
    // Upstream's ceiling.
    let nano = nano.min(i128::from(i64::MAX) * ONE);
    Some(Quantity { nano: if negative { -nano } else { nano }, form })
}

/// Form, base and exponent of a suffix.
fn scale(suffix: &str) -> Option<(Form, i32, i32)> {
    let place = |list: &[&str]| list.iter().position(|s| *s == suffix).and_then(|at| i32::try_from(at).ok());
    if let Some(at) = place(&DECIMAL) {
        return Some((Form::Decimal, 10, (at - 3) * 3));
    }
    if let Some(at) = place(&BINARY) {
        return Some((Form::Binary, 1024, at));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    (-1000..=1000).contains(&exponent).then_some((Form::Exponent, 10, exponent))
}

/// The canonical form: no fraction, the largest suffix that fits.
impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let small = self.nano.unsigned_abs() < 1024 * ONE.unsigned_abs();
        if self.form == Form::Binary && !small {
            let (mut number, mut at) = (self.ceil(), 0);
            while number % 1024 == 0 && at + 1 < BINARY.len() {
                number /= 1024;
                at += 1;
            }
            return write!(f, "{number}{}", BINARY[at]);
        }
        if self.nano == 0 {
            return f.write_str("0");
        }
        let (mut number, mut at) = (self.nano, 0);
        while number % 1000 == 0 && at + 1 < DECIMAL.len() {
            number /= 1000;
            at += 1;
        }
        match (self.form, at) {
            (Form::Exponent, 3) => write!(f, "{number}"),
            (Form::Exponent, at) => write!(f, "{number}e{}", i32::try_from(at).unwrap_or_default() * 3 - 9),
            (_, at) => write!(f, "{number}{}", DECIMAL[at]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_forms() {
        let check = |text: &str, expect: &str| {
            let shown = text.parse::<Quantity>().map_or_else(|_| "-".to_owned(), |q| q.to_string());
            assert_eq!(shown, expect, "{text}");
        };
        check("0.5", "500m");
        check("1000m", "1");
        check("1000", "1k");
        check("1500", "1500");
        check("1.5Gi", "1536Mi");
        check("1024Ki", "1Mi");
        check("512Ki", "512Ki");
        check("100Mi", "100Mi");
        check("1Ki", "1Ki");
        check("0.5Ki", "512");
        check("2e3", "2e3");
        check("1E", "1E");
        check("1E2", "100");
        check("0", "0");
        check("-1m", "-1m");
        check(".5", "500m");
        check("+3", "3");
        check("1n", "1n");
        check("0.1n", "1n");
        check("99999999999999999999999E", "9223372036854775807");
        check("", "-");
        check("1.2.3", "-");
        check("1 Gi", "-");
        check("1gi", "-");
        check("e3", "-");
        check("1e", "-");
    }

    #[test]
    fn order_and_units() {
        let quantity = |text: &str| text.parse::<Quantity>().unwrap();
        assert!(quantity("100m") < quantity("1"));
        assert_eq!(quantity("1Gi"), quantity("1024Mi"));
        assert_eq!(quantity("1500m").ceil(), 2);
        assert_eq!(quantity("1.5").milli(), 1500);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+]?[0-9.]{0,40}[eEinumkKMGTP]{0,3}[-+0-9]{0,5}") {
            if let Ok(quantity) = text.parse::<Quantity>() {
                let shown = quantity.to_string();
                prop_assert_eq!(shown.parse::<Quantity>().map(|q| q.to_string()), Ok(shown));
            }
        }
    }
}
