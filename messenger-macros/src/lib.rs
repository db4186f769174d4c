//! The macros of the `messenger` crate; use them through it.

mod attribute;
mod check;
mod expand;
mod handler;
mod message;
mod model;
mod parse;
mod report;
#[cfg(all(test, not(miri)))]
mod snapshot;

use proc_macro::TokenStream;

/// Makes a struct or enum a message.
///
/// ```text
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(id = Mid::Ball, codec = bincode)]
/// struct Ball { n: u8 }
/// ```
///
/// * `id = EXPR`: the message's id, an expression that `as` turns into a number from 0 to 65535: a variant of a
///   `messenger_id_enum!`, or a number.
/// * `codec = bincode | postcard` (the type also derives serde's `Serialize` and `Deserialize`; it may borrow),
///   `codec = prost` (it also derives `prost::Message`), or `codec = zero_copy`: a `repr(C)` or
///   `repr(transparent)` struct of plain data without padding; or a variable tail, a struct of references
///   `{ head: &'a H, tail: &'a [T] }`, where the head may be left out. Such a message doesn't also derive bytemuck's `Pod` or
///   `NoUninit`: what has them is plain data already, and the compiler calls the two "conflicting", E0119.
/// * `name = "..."`: the name people see, instead of the type's.
/// * `crate = path`: where the messenger crate is, if not at `::messenger`.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    message::derive_message(syn::parse_macro_input!(input)).into()
}

/// Makes a struct, or an enum without fields, plain data: a part of zero-copy messages.
///
/// ```text
/// #[derive(Clone, Copy, Plain)]
/// #[repr(u8)]
/// enum Side { Buy = 1, Sell = 2 }
/// ```
///
/// A struct has `repr(C)` or `repr(transparent)` and no padding; an enum says its integer: `repr(u8)` and the like.
/// `#[message(crate = path)]` says where the messenger crate is, if not at `::messenger`.
#[proc_macro_derive(Plain, attributes(message))]
pub fn derive_plain(input: TokenStream) -> TokenStream {
    message::derive_plain(syn::parse_macro_input!(input)).into()
}

/// Makes a type a handler: gives it an id and says what it sends.
///
/// ```text
/// #[derive(Handler)]
/// #[handler(id = Hid::Ping, sends(Ball, Note<'_>))]
/// struct Ping { last: u8 }
/// ```
///
/// * `id = EXPR`: what stands as the source in the records it sends, an expression that `as` turns into a number from 0
///   to 65535: a variant of a `messenger_id_enum!`, or a number.
/// * `sends(..)`: the messages it sends; one that borrows is written `Note<'_>`. Left out: none.
/// * `lifecycle`: you write `impl Lifecycle` yourself. (Without it the derive writes an empty one, and the compiler calls yours
///   "conflicting", E0119.)
/// * `name = "..."`: the name people see, instead of the type's.
/// * `crate = path`: where the messenger crate is, if not at `::messenger`.
#[proc_macro_derive(Handler, attributes(handler))]
pub fn derive_handler(input: TokenStream) -> TokenStream {
    handler::derive(&syn::parse_macro_input!(input)).into()
}

/// What `messenger!` hands its table to, after the tokens of its own crate.
#[doc(hidden)]
#[proc_macro]
pub fn messenger_table(tokens: TokenStream) -> TokenStream {
    table(tokens.into()).into()
}

/// Parse, check everything, report everything, and expand what is right all the same, so that one mistake
/// does not look like many.
fn table(tokens: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let mut errors = report::Errors::default();
    let table = parse::parse(tokens, &mut errors).map(|table| check::check(table, &mut errors));
    let code = table.map(|table| expand::expand(&table));
    let errors = errors.into_tokens();
    quote::quote! { #errors #code }
}
