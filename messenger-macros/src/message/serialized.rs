//! Messages that a serde codec or prost encodes.

use quote::quote;
use syn::{DeriveInput, GenericParam, Lifetime};

use super::attr::{Attrs, Codec};
use super::{Expansion, not_a_union, path};
use crate::report::{Errors, located};

pub(super) fn expand(input: &DeriveInput, attrs: &Attrs, errors: &mut Errors) -> Expansion {
    not_a_union(input, errors);
    let Some((codec, _)) = &attrs.codec else {
        return Expansion::default();
    };
    if let (Codec::Prost, Some(lifetime)) = (codec, input.generics.lifetimes().next()) {
        errors.at(
            lifetime,
            "prost makes owned messages only: use `String` and `Vec<u8>`, or `codec = bincode` for a message that borrows",
        );
    }

    let krate = &attrs.krate;
    let ident = &input.ident;
    let name = codec.name();
    let path = path(input);
    // What the codec asks of the type is asked in one place each way, shown at the codec: a derive that is missing is
    // then one error, not one per method.
    let (by, decode) = match codec {
        Codec::Prost => (
            quote!(ByProst),
            quote!(<Self as #krate::__macro::ByProst>::take(__bytes)),
        ),
        Codec::Postcard => (
            quote!(ByPostcard),
            quote!(#krate::__macro::postcard::decode::<Self>(__bytes)),
        ),
        _ => (
            quote!(ByBincode),
            quote!(#krate::__macro::bincode::decode::<Self>(__bytes)),
        ),
    };
    let span = attrs.codec_span();
    let decode = located(decode, span);
    let value = located(quote!(Self), span);

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
        impl #generics #krate::__macro::#by for #ident #ty #bounds {
            type Value = #value;

            #[inline]
            fn value(&self) -> &Self {
                self
            }
        }

        impl #generics #krate::__macro::ExtendedMessage for #ident #ty #bounds {
            #[inline]
            fn encoded_len(&self) -> ::core::result::Result<::core::primitive::usize, #krate::__macro::EncodeError> {
                #krate::__macro::#by::count(self)
            }

            #[inline]
            fn write(
                &self,
                __to: &mut #krate::__macro::PayloadWriter<'_>,
            ) -> ::core::result::Result<(), #krate::__macro::EncodeError> {
                #krate::__macro::#by::put(self, __to)
            }
        }

        impl #decoding #krate::__macro::DeserializeFrom<'__payload> for #ident #ty #bounds {
            #[inline]
            fn deserialize_from(
                __bytes: &'__payload [::core::primitive::u8],
            ) -> ::core::result::Result<Self, #krate::__macro::DecodeError> {
                #decode
            }
        }
    };
    Expansion {
        mode: quote!(Serialized),
        schema: quote!(#krate::__macro::Schema::serialized(#name, #path)),
        code,
    }
}
