//! Resource quantities (`500m`, `1Gi`, `2e3`): checked, and in the one form the API writes.

/// The text of the error upstream answers.
const ERROR: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NANO: i128 = 1_000_000_000;

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Decimal,
    Exponent,
    Binary,
}

/// The canonical text: no fraction, the largest suffix that needs none. Finer than a nano rounds up,
/// beyond 2^63-1 is cut.
pub fn canonical(text: &str) -> Result<String, &'static str> {
    let (form, nanos) = parse(text.trim()).ok_or(ERROR)?;
    Ok(print(form, nanos))
}

/// The value in billionths.
fn parse(text: &str) -> Option<(Form, i128)> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (form, base, power) = scale(suffix)?;
    let cap = i128::from(i64::MAX) * NANO;
    let nanos = magnitude(whole, fraction, base, power).map_or(cap, |n| n.min(cap));
    Some((form, if negative { -nanos } else { nanos }))
}

/// Form, base and power of a suffix.
fn scale(suffix: &str) -> Option<(Form, i128, i32)> {
    let decimal = |power| Some((Form::Decimal, 10, power));
    let binary = |power| Some((Form::Binary, 1024, power));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            Some((Form::Exponent, 10, power))
        }
    }
}

/// `WHOLE.FRACTION * base^power` in billionths, rounded up; `None` when too large.
fn magnitude(whole: &str, fraction: &str, base: i128, power: i32) -> Option<i128> {
    if base == 1024 {
        let factor = base.pow(power.unsigned_abs());
        // Eighteen decimals are enough for a billionth of the smallest binary unit; the rest rounds up.
        let kept = &fraction[..fraction.len().min(18)];
        let rest = fraction.len() > 18 && fraction[18..].bytes().any(|b| b != b'0');
        let unit = 10_i128.checked_pow(u32::try_from(kept.len()).ok()?)?;
        let digits = digits(whole, kept)?;
        let scaled = digits.checked_mul(factor)?;
        let (quotient, remainder) = (scaled / unit, scaled % unit);
        let low = (remainder.checked_mul(NANO)? + unit - 1) / unit;
        return quotient.checked_mul(NANO)?.checked_add(low)?.checked_add(i128::from(rest));
    }
    let text = format!("{whole}{fraction}");
    let significant = text.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // value = significant * 10^shift billionths
    let shift = i64::from(power) - i64::try_from(fraction.len()).ok()? + 9;
    let trimmed = significant.trim_end_matches('0');
    let shift = shift + i64::try_from(significant.len() - trimmed.len()).ok()?;
    let length = i64::try_from(trimmed.len()).ok()?;
    if length.checked_add(shift)? > 30 {
        return None;
    }
    if shift >= 0 {
        return trimmed.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?);
    }
    let keep = length + shift;
    let kept = if keep > 0 { trimmed[..usize::try_from(keep).ok()?].parse::<i128>().ok()? } else { 0 };
    Some(kept + 1)
}

fn digits(whole: &str, fraction: &str) -> Option<i128> {
    let text = format!("{whole}{fraction}");
    let text = text.trim_start_matches('0');
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}

fn print(form: Form, nanos: i128) -> String {
    if nanos == 0 {
        return "0".to_owned();
    }
    if form == Form::Binary && nanos % NANO == 0 && (nanos / NANO).abs() >= 1024 {
        let (mut value, mut power) = (nanos / NANO, 0);
        while value % 1024 == 0 && power < 6 {
            value /= 1024;
            power += 1;
        }
        return format!("{value}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power]);
    }
    let (mut value, mut power) = (nanos, 0);
    while value % 1000 == 0 && power < 9 {
        value /= 1000;
        power += 1;
    }
    match form {
        Form::Exponent => match i32::try_from(power).map_or(0, |p| p * 3 - 9) {
            0 => value.to_string(),
            exponent => format!("{value}e{exponent}"),
        },
        _ => format!("{value}{}", ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][power]),
    }
}
