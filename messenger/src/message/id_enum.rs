//! Typed ids as an enum.

use core::fmt;

use crate::words::in_words;

/// Declares enums whose variants are ids of messages or handlers: `u16` numbers with names.
///
/// Each enum is `Copy`, shows itself by its variant's name, and converts both ways, also in const:
///
/// ```
/// use messenger::messenger_id_enum;
///
/// messenger_id_enum! {
///     /// The messages of the game.
///     pub enum Mid {
///         /// Hit by one player ..
///         Ball = 1,
///         /// .. and back by the other.
///         Back = 2,
///     }
/// }
///
/// const BALL: u16 = Mid::Ball.as_u16();
/// const BACK: Option<Mid> = Mid::from_u16(2);
/// assert_eq!((BALL, BACK), (1, Some(Mid::Back)));
/// assert_eq!(Mid::try_from(1), Ok(Mid::Ball));
/// assert_eq!(
///     Mid::try_from(7).unwrap_err().to_string(),
///     "7 is no Mid; the ids of Mid are Ball = 1, Back = 2"
/// );
/// assert_eq!(Mid::Ball.to_string(), "Ball");
/// ```
///
/// Variants are there always: one under a `#[cfg]` is an error, E0599, where it is left out. Put the `#[cfg]` on the whole enum, or on
/// what uses the id.
///
/// A number that stands twice, or doesn't fit a `u16`, is a compile error:
///
/// ```compile_fail
/// messenger::messenger_id_enum! { enum Mid { Ball = 1, Back = 1 } }
/// ```
#[macro_export]
macro_rules! messenger_id_enum {
    ($(
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident $(= $id:expr)? ),+ $(,)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            ::core::cmp::PartialEq,
            ::core::cmp::Eq,
            ::core::cmp::PartialOrd,
            ::core::cmp::Ord,
            ::core::hash::Hash,
            ::core::fmt::Debug,
        )]
        #[repr(u16)]
        $vis enum $name {
            $( $(#[$variant_meta])* $variant $(= $id)?, )+
        }

        impl $name {
            /// All ids, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];

            /// The id's number.
            #[must_use]
            pub const fn as_u16(self) -> ::core::primitive::u16 {
                self as ::core::primitive::u16
            }

            /// The id with this number, if there is one.
            #[must_use]
            pub const fn from_u16(id: ::core::primitive::u16) -> ::core::option::Option<Self> {
                $(
                    if id == Self::$variant as ::core::primitive::u16 {
                        return ::core::option::Option::Some(Self::$variant);
                    }
                )+
                ::core::option::Option::None
            }

            /// The id's name.
            #[must_use]
            pub const fn name(self) -> &'static ::core::primitive::str {
                match self {
                    $( Self::$variant => ::core::stringify!($variant), )+
                }
            }
        }

        impl ::core::convert::From<$name> for ::core::primitive::u16 {
            fn from(id: $name) -> ::core::primitive::u16 {
                id.as_u16()
            }
        }

        impl ::core::convert::TryFrom<::core::primitive::u16> for $name {
            type Error = $crate::message::UnknownId;

            fn try_from(
                id: ::core::primitive::u16,
            ) -> ::core::result::Result<Self, $crate::message::UnknownId> {
                ::core::option::Option::ok_or(
                    Self::from_u16(id),
                    $crate::message::UnknownId {
                        id,
                        of: ::core::stringify!($name),
                        known: &[$( (
                            ::core::stringify!($variant),
                            $name::$variant as ::core::primitive::u16,
                        ) ),+],
                    },
                )
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.name())
            }
        }
    )+};
}

/// A number that is no id of the enum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UnknownId {
    /// The number.
    pub id: u16,
    /// The enum's name.
    pub of: &'static str,
    /// The enum's ids: names and numbers.
    pub known: &'static [(&'static str, u16)],
}

impl fmt::Display for UnknownId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many ids are shown; the rest is counted.
        const SHOWN: usize = 8;
        write!(
            f,
            "{} is no {of}; the ids of {of} are ",
            self.id,
            of = self.of
        )?;
        for (i, (name, id)) in self.known.iter().take(SHOWN).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{name} = {id}")?;
        }
        match self.known.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

in_words!(UnknownId);

impl core::error::Error for UnknownId {}
