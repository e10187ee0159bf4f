//! Columns of the Table form, `kubectl get`.

use serde_json::Value;

use super::value::Read;

/// A column of the Table form.
pub struct Column {
    /// Header as upstream spells it (`Cluster-IP`).
    pub name: &'static str,
    /// `string`, `integer`, `date`.
    pub ty: &'static str,
    /// `name` for the first column, else empty.
    pub format: &'static str,
    /// 0 = always shown, 1 = with `-o wide`.
    pub priority: i32,
    /// For the Table's `description`.
    pub description: &'static str,
    /// The cell of an object; `now` is seconds since the epoch, for ages.
    pub cell: fn(&Value, i64) -> Value,
}

impl Column {
    /// The first column of every kind.
    pub const NAME: Self = Self {
        format: "name",
        ..Self::text("Name", "Name, unique within kind and namespace.", |object, _| {
            object.text("metadata.name").into()
        })
    };

    /// Time since creation.
    pub const AGE: Self = Self::text("Age", "Time since the object was created.", |object, now| {
        age(object.text("metadata.creationTimestamp"), now).into()
    });

    /// A column of texts that is always shown.
    pub const fn text(name: &'static str, description: &'static str, cell: fn(&Value, i64) -> Value) -> Self {
        Self { name, ty: "string", format: "", priority: 0, description, cell }
    }

    /// A column of texts for `-o wide`.
    pub const fn wide(name: &'static str, description: &'static str, cell: fn(&Value, i64) -> Value) -> Self {
        Self { priority: 1, ..Self::text(name, description, cell) }
    }
}

/// A text, or `<none>` if it is empty.
pub fn or_none(text: impl Into<String>) -> Value {
    let text = text.into();
    Value::from(if text.is_empty() { "<none>".to_owned() } else { text })
}

/// A map of texts as `a=1,b=2`, or `<none>`.
pub fn labels(object: &Value, path: &str) -> Value {
    or_none(object.pairs(path).iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","))
}

/// The first `limit` items joined by `,`, then how many more there are.
pub fn first_few(items: &[String], limit: usize) -> String {
    let shown = items.iter().take(limit).map(String::as_str).collect::<Vec<_>>().join(",");
    match items.len().checked_sub(limit) {
        Some(more) if more > 0 => format!("{shown} + {more} more..."),
        _ => shown,
    }
}

/// The span from an RFC 3339 time to `now` (seconds since the epoch), as `kubectl get` rounds it.
pub fn age(since: &str, now: i64) -> String {
    match since.parse::<jiff::Timestamp>() {
        Ok(since) => span(now.saturating_sub(since.as_second())),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// A span of seconds, two units at most and fewer as it grows.
pub fn span(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let two = |a: i64, unit: &str, b: i64, small: &str| {
        if b == 0 { format!("{a}{unit}") } else { format!("{a}{unit}{b}{small}") }
    };
    if seconds < -1 {
        "<invalid>".to_owned()
    } else if seconds < 120 {
        format!("{}s", seconds.max(0))
    } else if minutes < 10 {
        two(minutes, "m", seconds % 60, "s")
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        two(days, "d", hours % 24, "h")
    } else if days < 2 * 365 {
        format!("{days}d")
    } else if days < 8 * 365 {
        two(years, "y", days % 365, "d")
    } else {
        format!("{years}y")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        const DAY: i64 = 86_400;
        let check = |seconds: i64, expect: &str| assert_eq!(span(seconds), expect, "{seconds}");
        check(-5, "<invalid>");
        check(-1, "0s");
        check(119, "119s");
        check(120, "2m");
        check(182, "3m2s");
        check(600, "10m");
        check(3 * 3600, "3h");
        check(4 * 3600 + 60, "4h1m");
        check(9 * 3600, "9h");
        check(47 * 3600, "47h");
        check(2 * DAY + 3600, "2d1h");
        check(12 * DAY, "12d");
        check(743 * DAY, "2y13d");
        check(9 * 365 * DAY, "9y");
        assert_eq!(age("", 0), "<unknown>");
        assert_eq!(age("1970-01-01T00:00:00Z", 5), "5s");
    }

    #[test]
    fn few() {
        let items: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
        assert_eq!(first_few(&items, 3), "a,b,c + 1 more...");
        assert_eq!(first_few(&items[..3], 3), "a,b,c");
    }
}
