//! Plain data: zero-copy messages and their parts.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
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
            #krate::__macro::schema_of::<Self>(#path)
        },
        code,
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
        &TokenStream::new(),
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
    for slice in slices(input) {
        errors.at(
            slice,
            "a field has a length of its own: take an array, `[T; N]`, or make the message one with a tail, \
             `{ head: &'a H, tail: &'a [T] }`",
        );
    }
    let transparent = repr.is("transparent");

    let shape = format_ident!("__{}_SHAPE", ident);
    let members: Vec<_> = data.fields.members().collect();
    let types: Vec<_> = data.fields.iter().map(|field| &field.ty).collect();
    let spans: Vec<_> = data
        .fields
        .iter()
        .map(|field| field_span(field).resolved_at(Span::call_site()))
        .collect();

    // The one place that asks for a field to be plain, so that one that isn't is one error, at its type.
    let valid = members.iter().zip(&types).map(|(member, ty)| {
        let item = innermost(ty);
        quote! {
            (#krate::__macro::Probe::<#item>::ANY_BITS
                || __bits.are::<#item>(::core::mem::offset_of!(#ident, #member), ::core::mem::size_of::<#ty>()))
        }
    });
    let field_shapes = members.iter().zip(&types).map(|(member, ty)| {
        let name = member.to_token_stream().to_string();
        let ty_shape = shape_of(ty, krate);
        quote! {
            #krate::__macro::FieldShape {
                name: #name,
                offset: ::core::mem::offset_of!(#ident, #member),
                size: ::core::mem::size_of::<#ty>(),
                ty: #ty_shape,
            }
        }
    });
    // The fields of a transparent struct have no order, and it has no padding.
    let paddings = spans
        .iter()
        .enumerate()
        .filter(|_| !transparent)
        .map(|(i, span)| {
            let check = located(quote!(#shape.no_padding_after), *span);
            quote_spanned!(*span=> const _: () = #check(#i);)
        });
    let span = ident.span().resolved_at(Span::call_site());
    let fits = located(quote!(#shape.fits_a_payload), span);
    let fits = quote_spanned!(span=> const _: () = #fits(););

    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #krate::__macro::Unknown as _;

            #[allow(non_upper_case_globals)]
            const #shape: #krate::__macro::StructShape = #krate::__macro::StructShape {
                name: #name,
                size: ::core::mem::size_of::<#ident>(),
                align: ::core::mem::align_of::<#ident>(),
                fields: &[#(#field_shapes),*],
            };
            #(#paddings)*
            #fits

            // SAFETY: the items beside it don't compile unless every field is plain and all bytes of the struct belong to a field.
            unsafe impl #krate::__macro::Plain for #ident {
                const SHAPE: ::core::option::Option<&'static #krate::__macro::Shape> =
                    ::core::option::Option::Some(&#krate::__macro::Shape::Struct(#shape));

                #[inline]
                fn is_valid(__bits: &#krate::__macro::Bits<Self>) -> ::core::primitive::bool {
                    let _ = __bits;
                    true #(&& #valid)*
                }
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
    let name = ident.to_string();
    let span = ident.span().resolved_at(Span::call_site());
    let check = located(quote!(#krate::__macro::no_padding_in_enum), span);
    let check =
        quote_spanned!(span=> const _: () = #check::<#ident, ::core::primitive::#integer>(#name););
    quote! {
        #check
        // SAFETY: the bits are an integer of the enum's own `repr`, and only those of a variant are let through.
        unsafe impl #krate::__macro::Plain for #ident {
            const SHAPE: ::core::option::Option<&'static #krate::__macro::Shape> = {
                const __SHAPE: #krate::__macro::EnumShape = #krate::__macro::EnumShape {
                    size: ::core::mem::size_of::<#ident>(),
                    align: ::core::mem::align_of::<#ident>(),
                    variants: &[#((#names, #ident::#variants as ::core::primitive::i128)),*],
                };
                ::core::option::Option::Some(&#krate::__macro::Shape::Enum(__SHAPE))
            };

            #[inline]
            fn is_valid(__bits: &#krate::__macro::Bits<Self>) -> ::core::primitive::bool {
                let __number = __bits.number::<::core::primitive::#integer>();
                false #(|| __number == #ident::#variants as ::core::primitive::#integer)*
            }
        }
    }
}

/// The types of fields that have no size of their own.
pub(super) fn slices(input: &DeriveInput) -> impl Iterator<Item = &Type> {
    let fields = match &input.data {
        Data::Struct(data) => Some(&data.fields),
        _ => None,
    };
    let types = fields.into_iter().flatten().map(|field| &field.ty);
    types.filter(|ty| matches!(ty, Type::Slice(_)))
}

/// What tells a type from others of its size. Wants `Unknown` in scope.
pub(super) fn shape_of(ty: &Type, krate: &Path) -> TokenStream {
    let (print, text) = (print_of(ty, krate), type_text(ty));
    let of = match array(ty) {
        Some((item, len)) => {
            let item = shape_of(item, krate);
            quote!(#krate::__macro::Of::Array { item: &#item, len: #len })
        }
        None => quote!(#krate::__macro::Of::One(#krate::__macro::Probe::<#ty>::SHAPE)),
    };
    quote! {
        #krate::__macro::TypeShape {
            print: #print,
            primitive: #krate::__macro::Probe::<#ty>::PRIMITIVE,
            text: #text,
            of: #of,
        }
    }
}

/// The fingerprint of a type, 0 where there is none.
fn print_of(ty: &Type, krate: &Path) -> TokenStream {
    match array(ty) {
        Some((item, len)) => {
            let item = print_of(item, krate);
            quote!(#krate::__macro::array_layout(#item, #len))
        }
        None => quote!(#krate::__macro::Probe::<#ty>::LAYOUT),
    }
}

/// The type as it stands in the source, without spaces: where those are is the compiler's affair, and the text is part
/// of a fingerprint.
pub(super) fn type_text(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    text.retain(|c| !c.is_whitespace());
    text
}

/// What an array of arrays is made of: the array is plain data if its items are.
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
struct Repr {
    words: Vec<Ident>,
    packed: Option<Ident>,
}

impl Repr {
    fn of(attributes: &[Attribute]) -> Self {
        let mut words = Vec::new();
        let mut packed = None;
        for attribute in attributes.iter().filter(|it| it.path().is_ident("repr")) {
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
        Self { words, packed }
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
