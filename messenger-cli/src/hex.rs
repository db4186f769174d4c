//! Bytes as hexadecimal text.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two lower-case digits for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(nibble)]));
        }
    }
    text
}

/// The bytes of such a text; the error says what is wrong with it.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    if text.len() % 2 != 0 {
        return Err(format!(
            "{} digits of hex, which is no whole number of bytes",
            text.len()
        ));
    }
    let digit = |at: usize| {
        let digit = text.as_bytes()[at];
        let value = char::from(digit).to_digit(16);
        value
            .map(|value| value as u8)
            .ok_or_else(|| format!("{:?} in a hex text, at place {at}", char::from(digit)))
    };
    (0..text.len())
        .step_by(2)
        .map(|at| Ok(digit(at)? << 4 | digit(at + 1)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Ok(all));
        assert_eq!(
            decode("0aF"),
            Err("3 digits of hex, which is no whole number of bytes".into())
        );
        assert_eq!(decode("0g"), Err("'g' in a hex text, at place 1".into()));
        assert!(decode("é").is_err());
    }
}
