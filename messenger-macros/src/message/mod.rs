//! `derive(Message)` and `derive(Plain)`: parse, check everything, report everything, expand.

mod attr;
mod plain;
mod serialized;
mod tail;
#[cfg(all(test, not(miri)))]
mod tests;

use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, GenericParam};

use attr::{Attrs, Codec};

use crate::report::{Errors, located};

pub(crate) fn derive_message(input: DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let attrs = Attrs::of_message(&input, &mut errors);
    no_type_parameters(&input, &mut errors);

    let codec = attrs.codec.as_ref().map(|(codec, _)| *codec);
    let body = match codec {
        Some(Codec::ZeroCopy) if tail::is_tail(&input) => tail::expand(&input, &attrs, &mut errors),
        Some(Codec::ZeroCopy) => plain::expand_message(&input, &attrs, &mut errors),
        Some(_) => serialized::expand(&input, &attrs, &mut errors),
        None => Expansion::default(),
    };
    let stand_in = stand_in(&input, &attrs);
    match codec {
        Some(codec) if errors.0.is_empty() => {
            let message = message(&input, &attrs, &body);
            let code = body.code;
            behind_feature(
                &attrs,
                codec,
                attrs.codec_span(),
                &quote!(#message #code),
                &stand_in,
            )
        }
        _ => {
            let errors = errors.into_tokens();
            quote! { #errors #stand_in }
        }
    }
}

pub(crate) fn derive_plain(input: DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let attrs = Attrs::of_plain(&input, &mut errors);
    no_type_parameters(&input, &mut errors);
    let body = plain::expand_part(&input, &attrs, &mut errors);
    if errors.0.is_empty() {
        body
    } else {
        errors.into_tokens()
    }
}

/// What differs from codec to codec.
#[derive(Default)]
struct Expansion {
    /// `Serialized` or `ZeroCopy`.
    mode: TokenStream,
    schema: TokenStream,
    /// The other impls.
    code: TokenStream,
}

fn message(input: &DeriveInput, attrs: &Attrs, body: &Expansion) -> TokenStream {
    let krate = &attrs.krate;
    let (generics, ty, bounds) = input.generics.split_for_impl();
    let ident = &input.ident;
    let name = attrs.name();
    let id = attrs.id();
    let Expansion { mode, schema, .. } = body;
    // The free constant is there for its errors: those of an associated one show where it is first used.
    let checked = quote_spanned! {attrs.id_span()=> const _: #krate::__macro::MessageId = #id; };
    quote! {
        impl #generics #krate::__macro::Message for #ident #ty #bounds {
            const ID: #krate::__macro::MessageId = #id;
            const NAME: &'static ::core::primitive::str = #name;
            type Mode = #krate::__macro::#mode;
            const SCHEMA: #krate::__macro::Schema = #schema;
        }
        #checked
    }
}

/// The impls of a message that has errors, so that what uses it shows none of its own.
fn stand_in(input: &DeriveInput, attrs: &Attrs) -> TokenStream {
    if plain::slices(input).next().is_some() {
        // It has no size, and nothing uses it without a complaint of the compiler's.
        return TokenStream::new();
    }
    let krate = &attrs.krate;
    let (_, ty, bounds) = input.generics.split_for_impl();
    let (generics, _, _) = input.generics.split_for_impl();
    let mut with_payload = input.generics.clone();
    with_payload.params.insert(0, syn::parse_quote!('__payload));
    let (payload_generics, _, _) = with_payload.split_for_impl();
    let ident = &input.ident;
    let name = attrs.name();
    let id = attrs.id();
    quote! {
        impl #generics #krate::__macro::Message for #ident #ty #bounds {
            const ID: #krate::__macro::MessageId = #id;
            const NAME: &'static ::core::primitive::str = #name;
            type Mode = #krate::__macro::Serialized;
        }
        impl #generics #krate::__macro::ExtendedMessage for #ident #ty #bounds {
            fn encoded_len(&self) -> ::core::result::Result<::core::primitive::usize, #krate::__macro::EncodeError> {
                ::core::unreachable!()
            }
            fn write(
                &self,
                _: &mut #krate::__macro::PayloadWriter<'_>,
            ) -> ::core::result::Result<(), #krate::__macro::EncodeError> {
                ::core::unreachable!()
            }
        }
        impl #payload_generics #krate::__macro::DeserializeFrom<'__payload> for #ident #ty #bounds {
            fn deserialize_from(
                _: &'__payload [::core::primitive::u8],
            ) -> ::core::result::Result<Self, #krate::__macro::DecodeError> {
                ::core::unreachable!()
            }
        }
    }
}

fn no_type_parameters(input: &DeriveInput, errors: &mut Errors) {
    for parameter in &input.generics.params {
        let what = match parameter {
            GenericParam::Lifetime(_) => continue,
            GenericParam::Type(_) => "type",
            GenericParam::Const(_) => "const",
        };
        errors.at(
            parameter,
            format_args!(
                "`{}` can't have a {what} parameter: one id and one layout belong to one type; write out the types you \
                 need, or implement the traits by hand for each",
                input.ident
            ),
        );
    }
}

/// `module::Type`, which tells types of one name apart.
fn path(input: &DeriveInput) -> TokenStream {
    let name = format!("::{}", input.ident);
    quote!(::core::concat!(::core::module_path!(), #name))
}

/// Wraps what needs a codec, so that a missing feature is one clear error at the codec's name.
fn behind_feature(
    attrs: &Attrs,
    codec: Codec,
    span: proc_macro2::Span,
    code: &TokenStream,
    stand_in: &TokenStream,
) -> TokenStream {
    let krate = &attrs.krate;
    let pass = quote::format_ident!("__with_{}", codec.name());
    let pass = located(quote!(#krate::__macro::#pass!), span);
    let mut both = Group::new(Delimiter::Brace, quote!({ #code } { #stand_in }));
    both.set_span(span);
    quote! { #pass #both }
}

fn not_a_union(input: &DeriveInput, errors: &mut Errors) {
    if let Data::Union(data) = &input.data {
        errors.at(
            data.union_token,
            "a union can't be a message: its bytes don't say which field they are; use a struct or an enum",
        );
    }
}

fn field_span(field: &syn::Field) -> proc_macro2::Span {
    field
        .ident
        .as_ref()
        .map_or_else(|| field.ty.span(), syn::Ident::span)
}
