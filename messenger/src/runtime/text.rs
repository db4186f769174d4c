//! Texts put together while the program is compiled.

/// A text of at most `N` bytes; what does not fit is cut off.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// Appends `text`.
    pub(crate) const fn and(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < N {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    /// Appends `text` between backquotes.
    pub(crate) const fn quoted(self, text: &str) -> Self {
        self.and("`").and(text).and("`")
    }

    /// Appends `number`.
    pub(crate) const fn number(self, number: usize) -> Self {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        match core::str::from_utf8(digits.split_at(at).1) {
            Ok(text) => self.and(text),
            Err(_) => self,
        }
    }

    pub(crate) const fn as_str(&self) -> &str {
        let text = self.bytes.split_at(self.len).0;
        match core::str::from_utf8(text) {
            Ok(text) => text,
            // Only a name cut off within a character.
            Err(error) => match core::str::from_utf8(text.split_at(error.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "",
            },
        }
    }
}

/// Whether two texts are the same.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_texts_together_and_cuts_off_whole_characters() {
        const TEXT: Text<64> = Text::new().quoted("Ping").and(" has the id ").number(1203);
        assert_eq!(TEXT.as_str(), "`Ping` has the id 1203");
        assert_eq!(Text::<3>::new().and("aé").as_str(), "aé");
        assert_eq!(Text::<2>::new().and("aé").as_str(), "a");
        assert_eq!(Text::<4>::new().number(0).as_str(), "0");
    }

    #[test]
    fn compares() {
        assert!(same("", "") && same("ab", "ab"));
        assert!(!same("ab", "ac") && !same("a", "ab"));
    }
}
