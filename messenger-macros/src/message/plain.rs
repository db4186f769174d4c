//! Plain data: zero-copy messages and their parts.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DataEnum, DataStruct, DeriveInput, Fields, Ident, Path, Type};

use super::attr::{Attrs, Codec};
use super::{Expansion, behind_feature, field_span, not_a_union, path};
use crate::report::{Errors, located};

pub(super) fn expand_message(input: &DeriveInput, attrs: &Attrs, errors: &mut Errors) -> Expansion {
    not_a_union(input, errors);
    let krate = &attrs.krate;
    let ident = &input.ident;
    let data = match &input.data {
        Data::Struct(data) => data,
        Data::Enum(data) => {
            errors.at(
                data.enum_token,
                format_args!(
                    "a zero-copy message is a struct: derive `Plain` for `{ident}` and make it a field of one, or choose a \
                     serialized codec"
                ),
            );
            return Expansion::default();
        }
        Data::Union(_) => return Expansion::default(),
    };
    let plain = expand_struct(input, data, attrs, errors);
    let path = path(input);
    let code = quote! {
        #plain
        impl #krate::__macro::ZeroCopyMessage for #ident {}
    };
    Expansion {
        mode: quote!(ZeroCopy),
        schema: quote! {
            #krate::__macro::Schema::zero_copy::<Self>(#path, <Self as #krate::__macro::Plain>::LAYOUT)
        },
        code: behind_feature(attrs, Codec::ZeroCopy, attrs.codec_span(), &code),
    }
}

pub(super) fn expand_part(input: &DeriveInput, attrs: &Attrs, errors: &mut Errors) -> TokenStream {
    not_a_union(input, errors);
    let code = match &input.data {
        Data::Struct(data) => expand_struct(input, data, attrs, errors),
        Data::Enum(data) => expand_enum(input, data, attrs, errors),
        Data::Union(_) => TokenStream::new(),
    };
    behind_feature(
        attrs,
        Codec::ZeroCopy,
        input.ident.span().resolved_at(Span::call_site()),
        &code,
    )
}

fn expand_struct(
    input: &DeriveInput,
    data: &DataStruct,
    attrs: &Attrs,
    errors: &mut Errors,
) -> TokenStream {
    let krate = &attrs.krate;
    let ident = &input.ident;
    let name = ident.to_string();
    let repr = Repr::of(&input.attrs);
    if let Some(packed) = &repr.packed {
        errors.at(
            packed,
            "`packed` fields can't be referred to: order the fields by falling alignment and fill gaps with `_pad: [u8; N]`",
        );
    }
    if !repr.is("C") && !repr.is("transparent") {
        errors.at(
            ident,
            format_args!("`{ident}` needs a fixed layout to be sent as it is: add `#[repr(C)]`"),
        );
    }
    for lifetime in input.generics.lifetimes() {
        errors.at(
            lifetime,
            "plain data can't borrow: its bytes are all there is of it",
        );
    }
    let reprs = &repr.attributes;
    let transparent = repr.is("transparent");

    let bits = format_ident!("__{}Bits", ident);
    let layout = format_ident!("__{}_LAYOUT", ident);
    let members: Vec<_> = data.fields.members().collect();
    let types: Vec<_> = data.fields.iter().map(|field| &field.ty).collect();
    let spans: Vec<_> = data
        .fields
        .iter()
        .map(|field| field_span(field).resolved_at(Span::call_site()))
        .collect();

    let bits_fields = data.fields.iter().map(|field| {
        let ty = bits_of(&field.ty, krate);
        match &field.ident {
            Some(name) => quote!(#name: #ty),
            None => quote!(#ty),
        }
    });
    let bits_body = match &data.fields {
        Fields::Named(_) => quote!({ #(#bits_fields),* }),
        Fields::Unnamed(_) => quote!((#(#bits_fields),*);),
        Fields::Unit => quote!(;),
    };
    let valid = members
        .iter()
        .zip(&types)
        .map(|(member, ty)| is_valid(ty, &quote!(&bits.#member), krate));
    let plain_fields = types.iter().map(|ty| {
        let item = innermost(ty);
        let span = item.span();
        let check = located(quote!(#krate::__macro::field::<#item>), span);
        quote_spanned!(span=> const _: () = #check();)
    });
    let field_layouts = members.iter().zip(&types).map(|(member, ty)| {
        let name = member.to_token_stream().to_string();
        let (probed, text) = (layout_of(ty, krate), type_text(ty));
        quote! {
            #krate::__macro::FieldLayout {
                name: #name,
                offset: ::core::mem::offset_of!(#ident, #member),
                size: ::core::mem::size_of::<#ty>(),
                layout: #probed,
                ty: #text,
            }
        }
    });
    // The fields of a transparent struct have no order, and it has no padding.
    let paddings = spans
        .iter()
        .enumerate()
        .filter(|_| !transparent)
        .map(|(i, span)| {
            let check = located(quote!(#layout.no_padding_after), *span);
            quote_spanned!(*span=> const _: () = #check(#i);)
        });
    let span = ident.span().resolved_at(Span::call_site());
    let fits = located(quote!(#layout.fits_a_payload), span);
    let fits = quote_spanned!(span=> const _: () = #fits(););
    let count = members.len();

    // The impls are sound because the constants beside them don't compile unless every field is plain, all
    // bytes of the struct belong to a field, and the two structs have the same fields under the same `repr`.
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__macro::Unknown as _;

            #(#plain_fields)*

            #[allow(dead_code, non_upper_case_globals)]
            const #layout: #krate::__macro::StructLayout<#count> =
                #krate::__macro::StructLayout::of::<#ident>(#name, [#(#field_layouts),*]);
            #(#paddings)*
            #fits

            #[derive(::core::clone::Clone, ::core::marker::Copy)]
            #(#reprs)*
            pub struct #bits #bits_body

            unsafe impl #krate::__macro::Zeroable for #bits {}
            unsafe impl #krate::__macro::AnyBitPattern for #bits {}
            unsafe impl #krate::__macro::NoUninit for #ident {}
            unsafe impl #krate::__macro::CheckedBitPattern for #ident {
                type Bits = #bits;

                #[inline]
                fn is_valid_bit_pattern(bits: &#bits) -> ::core::primitive::bool {
                    let _ = bits;
                    true #(&& #valid)*
                }
            }
            impl #krate::__macro::Plain for #ident {
                const LAYOUT: ::core::primitive::u64 = #layout.fingerprint();
            }
        };
    }
}

fn expand_enum(
    input: &DeriveInput,
    data: &DataEnum,
    attrs: &Attrs,
    errors: &mut Errors,
) -> TokenStream {
    let krate = &attrs.krate;
    let ident = &input.ident;
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            errors.at(
                variant,
                "a variant of a plain enum has no fields: their bytes would be undefined where another variant has fewer",
            );
        }
    }
    let repr = Repr::of(&input.attrs);
    let Some(integer) = repr.integer() else {
        errors.at(
            ident,
            format_args!("`{ident}` needs an integer that holds its variants: add `#[repr(u8)]`"),
        );
        return TokenStream::new();
    };
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names = variants.iter().map(ToString::to_string);
    quote! {
        // The bits are an integer of the enum's own `repr`, and only those of a variant are let through.
        const _: () = {
            unsafe impl #krate::__macro::NoUninit for #ident {}
            unsafe impl #krate::__macro::CheckedBitPattern for #ident {
                type Bits = ::core::primitive::#integer;

                #[inline]
                fn is_valid_bit_pattern(bits: &::core::primitive::#integer) -> ::core::primitive::bool {
                    false #(|| *bits == #ident::#variants as ::core::primitive::#integer)*
                }
            }
            impl #krate::__macro::Plain for #ident {
                const LAYOUT: ::core::primitive::u64 =
                    #krate::__macro::enum_layout::<#ident>(&[#((#names, #ident::#variants as ::core::primitive::i128)),*]);
            }
        };
    }
}

/// The type of a field's bits. Arrays are taken apart here, since bytemuck has no checked arrays.
fn bits_of(ty: &Type, krate: &Path) -> TokenStream {
    match array(ty) {
        Some((item, len)) => {
            let item = bits_of(item, krate);
            quote!([#item; #len])
        }
        None => quote!(<#ty as #krate::__macro::CheckedBitPattern>::Bits),
    }
}

/// Whether the bits that `bits`, a reference, refers to are a value of the type.
fn is_valid(ty: &Type, bits: &TokenStream, krate: &Path) -> TokenStream {
    match array(ty) {
        Some((item, _)) => {
            let valid = is_valid(item, &quote!(bits), krate);
            quote!(::core::iter::Iterator::all(&mut <[_]>::iter(#bits), |bits| #valid))
        }
        None => quote!(<#ty as #krate::__macro::CheckedBitPattern>::is_valid_bit_pattern(#bits)),
    }
}

/// The fingerprint of a type, 0 where there is none. Wants `Unknown` in scope.
pub(super) fn layout_of(ty: &Type, krate: &Path) -> TokenStream {
    match array(ty) {
        Some((item, len)) => {
            let item = layout_of(item, krate);
            quote!(#krate::__macro::array_layout(#item, #len))
        }
        None => quote!(#krate::__macro::Probe::<#ty>::LAYOUT),
    }
}

pub(super) fn type_text(ty: &Type) -> String {
    ty.to_token_stream().to_string()
}

fn innermost(ty: &Type) -> &Type {
    array(ty).map_or(ty, |(item, _)| innermost(item))
}

fn array(ty: &Type) -> Option<(&Type, &syn::Expr)> {
    match ty {
        Type::Array(array) => Some((&array.elem, &array.len)),
        Type::Group(group) => array(&group.elem),
        Type::Paren(paren) => array(&paren.elem),
        _ => None,
    }
}

/// The `repr` attributes of a type.
struct Repr<'a> {
    attributes: Vec<&'a Attribute>,
    words: Vec<Ident>,
    packed: Option<Ident>,
}

impl<'a> Repr<'a> {
    fn of(attributes: &'a [Attribute]) -> Self {
        let attributes: Vec<_> = attributes
            .iter()
            .filter(|it| it.path().is_ident("repr"))
            .collect();
        let mut words = Vec::new();
        let mut packed = None;
        for attribute in &attributes {
            // rustc reports what is wrong with a `repr` itself.
            let _ = attribute.parse_nested_meta(|meta| {
                if let Some(word) = meta.path.get_ident() {
                    words.push(word.clone());
                    if word == "packed" {
                        packed = Some(word.clone());
                    }
                }
                if meta.input.peek(syn::token::Paren) {
                    let inside;
                    syn::parenthesized!(inside in meta.input);
                    inside.parse::<TokenStream>()?;
                }
                Ok(())
            });
        }
        Self {
            attributes,
            words,
            packed,
        }
    }

    fn is(&self, word: &str) -> bool {
        self.words.iter().any(|it| it == word)
    }

    fn integer(&self) -> Option<&Ident> {
        const INTEGERS: [&str; 10] = [
            "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128",
        ];
        self.words
            .iter()
            .find(|it| INTEGERS.iter().any(|name| *it == name))
    }
}
