//! Values as JSON has them, and what JSON has no word for.
//!
//! As serde_json writes them; but integers of more than 64 bits are texts, and so are `inf`, `-inf` and `NaN`, which is `NaN:` and
//! its bits in hex if it has others than the usual ones. What is read may have any number as a text.

use std::collections::HashSet;

use serde_json::{Number, Value};

/// More of a value is not shown in an error.
const SHOWN: usize = 60;

pub(super) fn unsigned(number: u128) -> Value {
    u64::try_from(number).map_or_else(|_| number.to_string().into(), Value::from)
}

pub(super) fn signed(number: i128) -> Value {
    match i64::try_from(number) {
        Ok(number) => number.into(),
        Err(_) if number > 0 => unsigned(number.unsigned_abs()),
        Err(_) => number.to_string().into(),
    }
}

pub(super) fn double(number: f64) -> Value {
    match Number::from_f64(number) {
        Some(number) => number.into(),
        None if number.to_bits() == f64::NAN.to_bits() || number.is_infinite() => {
            number.to_string().into()
        }
        None => format!("NaN:{:016x}", number.to_bits()).into(),
    }
}

pub(super) fn single(number: f32) -> Value {
    if !number.is_finite() {
        return if number.to_bits() == f32::NAN.to_bits() || number.is_infinite() {
            number.to_string().into()
        } else {
            format!("NaN:{:08x}", number.to_bits()).into()
        };
    }
    // As few digits as tell it from the others of 32 bits.
    let short = number.to_string().parse::<f64>();
    let short = short.ok().filter(|short| *short as f32 == number);
    double(short.unwrap_or(number.into()))
}

/// An unsigned number of so many bits.
pub(super) fn to_unsigned(value: &Value, bits: u32) -> Result<u128, String> {
    let number = match value {
        Value::Number(number) => number.as_u64().map(u128::from),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let fits = number.filter(|number| bits == 128 || number >> bits == 0);
    fits.ok_or_else(|| format!("{} is no unsigned number of {bits} bits", shown(value)))
}

/// A signed number of so many bits.
pub(super) fn to_signed(value: &Value, bits: u32) -> Result<i128, String> {
    let number = match value {
        Value::Number(number) => number.as_i128(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let most = i128::MAX >> (128 - bits);
    let fits = number.filter(|number| (!most..=most).contains(number));
    fits.ok_or_else(|| format!("{} is no signed number of {bits} bits", shown(value)))
}

pub(super) fn to_double(value: &Value) -> Result<f64, String> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.strip_prefix("NaN:") {
            Some(bits) => u64::from_str_radix(bits, 16).ok().map(f64::from_bits),
            None => text.parse().ok(),
        },
        _ => None,
    };
    number.ok_or_else(|| format!("{} is no number", shown(value)))
}

pub(super) fn to_single(value: &Value) -> Result<f32, String> {
    if let Some(bits) = value.as_str().and_then(|text| text.strip_prefix("NaN:")) {
        let number = u32::from_str_radix(bits, 16).map(f32::from_bits);
        return number.map_err(|_| format!("{} is no number", shown(value)));
    }
    let double = to_double(value)?;
    let single = double as f32;
    if single.is_infinite() && double.is_finite() {
        return Err(format!("{} is no number of 32 bits", shown(value)));
    }
    Ok(single)
}

pub(super) fn to_null(value: &Value) -> Result<(), String> {
    let null = value.is_null().then_some(());
    null.ok_or_else(|| format!("{} is not null", shown(value)))
}

pub(super) fn to_bool(value: &Value) -> Result<bool, String> {
    let bool = value.as_bool();
    bool.ok_or_else(|| format!("{} is neither true nor false", shown(value)))
}

pub(super) fn to_text(value: &Value) -> Result<&str, String> {
    let text = value.as_str();
    text.ok_or_else(|| format!("{} is no text", shown(value)))
}

pub(super) fn to_char(value: &Value) -> Result<char, String> {
    let mut chars = value.as_str().unwrap_or_default().chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => Ok(char),
        _ => Err(format!("{} is no text of one character", shown(value))),
    }
}

pub(super) fn to_list(value: &Value) -> Result<&[Value], String> {
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or_else(|| format!("{} is no array", shown(value)))
}

/// An array of so many.
pub(super) fn to_list_of(value: &Value, len: usize) -> Result<&[Value], String> {
    let list = to_list(value)?;
    if list.len() == len {
        return Ok(list);
    }
    Err(format!("an array of {}, where there are {len}", list.len()))
}

/// The values of an object that has these names, all of them and no other.
pub(super) fn to_fields<'v>(value: &'v Value, names: &[&str]) -> Result<Vec<&'v Value>, String> {
    let object = value.as_object();
    let object = object.ok_or_else(|| format!("{} is no object", shown(value)))?;
    let known: HashSet<_> = names.iter().copied().collect();
    if let Some(name) = object.keys().find(|name| !known.contains(name.as_str())) {
        return Err(format!(
            "there is no field {name:?}, but {}",
            names.join(", ")
        ));
    }
    let field = |name: &&str| {
        object
            .get(*name)
            .ok_or_else(|| format!("no field {name:?}"))
    };
    names.iter().map(field).collect()
}

/// The beginning of a value's text.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// An error within a part.
pub(super) fn within(part: impl std::fmt::Display) -> impl FnOnce(String) -> String {
    move |why| format!("{part}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_bits() {
        for bits in [
            0,
            1,
            0x8000_0000,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0xffc0_0001,
            0x7f80_0001,
        ]
        .into_iter()
        .chain((0..u32::MAX).step_by(65_519))
        {
            let text = single(f32::from_bits(bits)).to_string();
            let back = to_single(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(back.to_bits(), bits, "{text}");
            let bits = u64::from(bits) << 32 | u64::from(bits.rotate_left(7));
            let text = double(f64::from_bits(bits)).to_string();
            let back = to_double(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(back.to_bits(), bits, "{text}");
        }
        assert_eq!(single(0.1).to_string(), "0.1");
        for (number, bits) in [
            (-1, 8),
            (127, 8),
            (-128, 8),
            (i64::MIN.into(), 64),
            (i128::MIN, 128),
            (1 << 64, 128),
        ] {
            assert_eq!(to_signed(&signed(number), bits), Ok(number));
        }
        for (number, bits) in [(255, 8), (u64::MAX.into(), 64), (u128::MAX, 128)] {
            assert_eq!(to_unsigned(&unsigned(number), bits), Ok(number));
        }
        assert_eq!(to_unsigned(&"7".into(), 8), Ok(7));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(
            to_unsigned(&256.into(), 8).unwrap_err(),
            "256 is no unsigned number of 8 bits"
        );
        assert_eq!(
            to_signed(&(-129).into(), 8).unwrap_err(),
            "-129 is no signed number of 8 bits"
        );
        assert!(to_unsigned(&1.5.into(), 8).is_err());
        assert!(to_single(&1e300.into()).is_err());
        assert!(to_double(&"NaN:x".into()).is_err());
        assert!(to_char(&"ab".into()).is_err());
    }
}
