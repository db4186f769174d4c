//! Text put together in const, for panics that name what is wrong.

/// A text of at most `N` bytes; what doesn't fit is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
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

    /// Appends `text`, or nothing of it if it doesn't fit.
    pub(crate) const fn text(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        if text.len() > N - self.len {
            return self;
        }
        let mut i = 0;
        while i < text.len() {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    /// Appends `text` between backquotes.
    pub(crate) const fn quoted(self, text: &str) -> Self {
        self.text("`").text(text).text("`")
    }

    /// Appends `number` in decimal.
    pub(crate) const fn number(mut self, number: i128) -> Self {
        if number < 0 {
            self = self.text("-");
        }
        let mut digits = [0; 39];
        let mut start = digits.len();
        let mut left = number.unsigned_abs();
        loop {
            start -= 1;
            digits[start] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        match core::str::from_utf8(digits.split_at(start).1) {
            Ok(digits) => self.text(digits),
            Err(_) => self,
        }
    }

    pub(crate) const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn texts_and_numbers_join() {
        const JOINED: Text<64> = Text::new().text("a").number(0).text("b").number(-120);
        assert_eq!(JOINED.as_str(), "a0b-120");
        assert_eq!(
            Text::<64>::new().number(i128::MIN).as_str(),
            i128::MIN.to_string()
        );
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        assert_eq!(
            Text::<3>::new().text("ab").text("cd").text("e").as_str(),
            "abe"
        );
    }
}
