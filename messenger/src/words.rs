//! Errors in words, wherever they are printed.

/// Prints an error as its text with `{:?}`, too. That is how a `main` that returns it, and `unwrap`, show it, and its text says what was wrong,
/// with the values, and what to do.
macro_rules! in_words {
    ($error:ty) => {
        impl ::core::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(crate) use in_words;
