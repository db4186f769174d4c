//! Times: as the program writes them, and as it takes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// RFC 3339, in UTC, as fine as it is known.
pub(crate) fn text(time: SystemTime) -> String {
    match Timestamp::try_from(time) {
        Ok(time) => time.to_string(),
        // Beyond the year 9999.
        Err(_) => {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("@{}.{:09}", since.as_secs(), since.subsec_nanos())
        }
    }
}

/// RFC 3339, `@` and seconds since 1970, or `-` and how long before `now`. `None`: it doesn't look like a time.
pub(crate) fn parse(text: &str, now: SystemTime) -> Option<Result<SystemTime, String>> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Some(unix(seconds).ok_or_else(|| {
            format!("{text:?} should be `@` and the seconds since 1970, as in @1764216000.5")
        }));
    }
    if let Some(ago) = text.strip_prefix('-') {
        return Some(duration(ago).and_then(|ago| {
            now.checked_sub(ago)
                .ok_or_else(|| format!("{text:?} is before all time"))
        }));
    }
    if !text.contains([':', '-']) {
        return None;
    }
    let time = text.parse::<Timestamp>();
    Some(time.map(SystemTime::from).map_err(|error| {
        format!("{text:?} is no time as in 2026-11-27T04:00:00Z (say Z or an offset): {error}")
    }))
}

fn unix(text: &str) -> Option<SystemTime> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(seconds) || !plain(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds.parse().ok()?, nanos))
}

/// Numbers with their units: `90s`, `10m`, `1h30m`, `2d`, `250ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time as in 90s, 10m, 1h30m, 2d or 250ms");
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "ms" => 0,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = match seconds {
            0 => Some(Duration::from_millis(number)),
            _ => number.checked_mul(seconds).map(Duration::from_secs),
        };
        sum = part
            .and_then(|part| sum.checked_add(part))
            .ok_or_else(wrong)?;
    }
    if text.is_empty() {
        Err(wrong())
    } else {
        Ok(sum)
    }
}

/// Such a length of time, if it is one that can be waited for.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
    let time = duration(text)?;
    if time > LONGEST {
        return Err(format!("{text:?} is more than a hundred years"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_form() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000);
        let at =
            |text| parse(text, now).map(|time| time.map(|t| t.duration_since(UNIX_EPOCH).unwrap()));
        let seconds = |s| Some(Ok(Duration::from_secs(s)));
        assert_eq!(at("1970-01-01T00:01:00Z"), seconds(60));
        assert_eq!(at("1970-01-01T01:01:00+01:00"), seconds(60));
        assert_eq!(at("@60"), seconds(60));
        assert_eq!(at("@60.25"), Some(Ok(Duration::from_millis(60_250))));
        assert_eq!(at("-1h30m"), seconds(4_600));
        assert_eq!(at("4096"), None);
        for wrong in [
            "@",
            "@-1",
            "@1.",
            "@1.0000000001",
            "-",
            "-5",
            "-m",
            "-5x",
            "1970-01-01",
            "12:00",
            "-99999999999999999999s",
        ] {
            assert!(
                matches!(at(wrong), Some(Err(_))),
                "{wrong}: {:?}",
                at(wrong)
            );
        }
    }

    #[test]
    fn what_is_waited_for_has_an_end() {
        assert_eq!(span("36500d"), Ok(Duration::from_secs(36_500 * 86_400)));
        for endless in ["36501d", "18446744073709551615s"] {
            let why = span(endless).unwrap_err();
            assert!(why.contains("more than a hundred years"), "{why}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for nanos in [0, 1, 1_764_216_000_123_456_789] {
            let time = UNIX_EPOCH + Duration::from_nanos(nanos);
            assert_eq!(parse(&text(time), time), Some(Ok(time)));
        }
        let far = UNIX_EPOCH + Duration::new(1 << 40, 5);
        assert_eq!(parse(&text(far), far), Some(Ok(far)));
    }
}
