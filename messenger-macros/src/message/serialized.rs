//! Messages that a serde codec or prost encodes.

use quote::{quote, quote_spanned};
use syn::{DeriveInput, GenericParam, Ident, Lifetime};

use super::attr::{Attrs, Codec};
use super::{Expansion, behind_feature, not_a_union, path};
use crate::report::Errors;

pub(super) fn expand(input: &DeriveInput, attrs: &Attrs, errors: &mut Errors) -> Expansion {
    not_a_union(input, errors);
    let Some((codec, codec_ident)) = &attrs.codec else {
        return Expansion::default();
    };
    if *codec == Codec::Prost
        && let Some(lifetime) = input.generics.lifetimes().next()
    {
        errors.at(
            lifetime,
            "prost makes owned messages only: use `String` and `Vec<u8>`, or `codec = bincode` for a message that borrows",
        );
    }

    let krate = &attrs.krate;
    let ident = &input.ident;
    let name = codec.name();
    let path = path(input);
    let span = attrs.codec_span();
    let codec_module = Ident::new(name, span);
    // Spanned at the codec, so that a missing `Serialize` is reported there.
    let encoded_len = quote_spanned!(span=> #krate::__macro::#codec_module::encoded_len(self));
    let write = quote_spanned!(span=> #krate::__macro::#codec_module::write(self, to));
    let decode = quote_spanned!(span=> #krate::__macro::#codec_module::decode::<Self>(bytes));

    let (generics, ty, bounds) = input.generics.split_for_impl();
    // A message that borrows can be made from any payload that outlives what it borrows.
    let mut decoding = input.generics.clone();
    let borrowed: Vec<Lifetime> = input
        .generics
        .lifetimes()
        .map(|it| it.lifetime.clone())
        .collect();
    let payload: GenericParam = if borrowed.is_empty() {
        syn::parse_quote!('__payload)
    } else {
        syn::parse_quote!('__payload: #(#borrowed)+*)
    };
    decoding.params.insert(0, payload);
    let (decoding, _, _) = decoding.split_for_impl();

    let code = quote! {
        impl #generics #krate::__macro::ExtendedMessage for #ident #ty #bounds {
            #[inline]
            fn encoded_len(&self) -> ::core::result::Result<::core::primitive::usize, #krate::__macro::EncodeError> {
                #encoded_len
            }

            #[inline]
            fn write(
                &self,
                to: &mut #krate::__macro::PayloadWriter<'_>,
            ) -> ::core::result::Result<(), #krate::__macro::EncodeError> {
                #write
            }
        }

        impl #decoding #krate::__macro::DeserializeFrom<'__payload> for #ident #ty #bounds {
            #[inline]
            fn deserialize_from(
                bytes: &'__payload [::core::primitive::u8],
            ) -> ::core::result::Result<Self, #krate::__macro::DecodeError> {
                #decode
            }
        }
    };
    Expansion {
        mode: quote!(Serialized),
        schema: quote!(#krate::__macro::Schema::serialized(#name, #path)),
        code: behind_feature(attrs, *codec, codec_ident.span(), &code),
    }
}
