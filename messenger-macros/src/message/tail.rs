//! Zero-copy messages with a variable tail: `{ head: &'a H, tail: &'a [T] }`.

use quote::{ToTokens, quote, quote_spanned};
use syn::{Data, DeriveInput, Fields, Type};

use super::attr::Attrs;
use super::plain::{shape_of, type_text};
use super::{Expansion, field_span, path};
use crate::report::{Errors, located};

/// A zero-copy struct with a lifetime or a reference is meant as one with a tail.
pub(super) fn is_tail(input: &DeriveInput) -> bool {
    let Data::Struct(data) = &input.data else {
        return false;
    };
    input.generics.lifetimes().next().is_some()
        || data
            .fields
            .iter()
            .any(|it| matches!(it.ty, Type::Reference(_)))
}

pub(super) fn expand(input: &DeriveInput, attrs: &Attrs, errors: &mut Errors) -> Expansion {
    let Some((head, tail)) = parts(input, errors) else {
        return Expansion::default();
    };
    let krate = &attrs.krate;
    let ident = &input.ident;
    let name = ident.to_string();
    let (generics, ty, bounds) = input.generics.split_for_impl();

    let tail_name = &tail.member;
    let tail_ty = &tail.ty;
    let unit: Type = syn::parse_quote!(());
    let head_ty = head.as_ref().map_or(&unit, |head| &head.ty);
    let (head_ref, head_init) = match &head {
        Some(Part { member, .. }) => (quote!(self.#member), quote!(#member: __head,)),
        None => (quote!(&()), quote!()),
    };
    let head_name = if head.is_some() {
        quote!(__head)
    } else {
        quote!(_)
    };
    let (head_shape, tail_shape) = (shape_of(head_ty, krate), shape_of(tail_ty, krate));
    let tail_text = type_text(tail_ty);
    let follows = located(quote!(#krate::__macro::tail_follows), tail.span);
    let check = quote_spanned!(tail.span=> const _: () = #follows::<#head_ty, #tail_ty>(#name, #tail_text););
    let path = path(input);
    let payload = input
        .generics
        .lifetimes()
        .next()
        .map_or_else(|| quote!('static), |it| it.lifetime.to_token_stream());

    let code = quote! {
        #check

        impl #generics #krate::__macro::Tailed<#payload> for #ident #ty #bounds {
            type Head = #head_ty;
            type Item = #tail_ty;

            #[inline]
            fn parts(&self) -> (&#payload Self::Head, &#payload [Self::Item]) {
                (#head_ref, self.#tail_name)
            }

            #[inline]
            fn join(#head_name: &#payload Self::Head, __tail: &#payload [Self::Item]) -> Self {
                Self { #head_init #tail_name: __tail }
            }
        }

        impl #generics #krate::__macro::ExtendedMessage for #ident #ty #bounds {
            #[inline]
            fn encoded_len(&self) -> ::core::result::Result<::core::primitive::usize, #krate::__macro::EncodeError> {
                #krate::__macro::tailed_len(self)
            }

            #[inline]
            fn write(
                &self,
                __to: &mut #krate::__macro::PayloadWriter<'_>,
            ) -> ::core::result::Result<(), #krate::__macro::EncodeError> {
                #krate::__macro::write_tailed(self, __to)
            }
        }

        impl #generics #krate::__macro::DeserializeFrom<#payload> for #ident #ty #bounds {
            #[inline]
            fn deserialize_from(
                __bytes: &#payload [::core::primitive::u8],
            ) -> ::core::result::Result<Self, #krate::__macro::DecodeError> {
                #krate::__macro::read_tailed(__bytes)
            }
        }
    };
    Expansion {
        mode: quote!(Serialized),
        schema: quote!({
            #[allow(unused_imports)]
            use #krate::__macro::Unknown as _;
            const __SHAPE: #krate::__macro::TailShape = #krate::__macro::TailShape {
                size: ::core::mem::size_of::<#head_ty>(),
                align: ::core::mem::align_of::<#head_ty>(),
                head: &#head_shape,
                item_size: ::core::mem::size_of::<#tail_ty>(),
                item: &#tail_shape,
            };
            #krate::__macro::tail_schema::<#head_ty, #tail_ty>(#path, &#krate::__macro::Shape::Tail(__SHAPE))
        }),
        code,
    }
}

struct Part {
    member: syn::Member,
    /// What is referred to: `H` of `&H`, `T` of `&[T]`.
    ty: Type,
    span: proc_macro2::Span,
}

/// The head, if there is one, and the tail.
fn parts(input: &DeriveInput, errors: &mut Errors) -> Option<(Option<Part>, Part)> {
    const SHAPE: &str = "a zero-copy message that borrows has the shape `{ head: &'a H, tail: &'a [T] }`, or only the tail";
    let before = errors.0.len();
    let Data::Struct(data) = &input.data else {
        return None;
    };
    if let Some(lifetime) = input.generics.lifetimes().nth(1) {
        errors.at(
            lifetime,
            format_args!("one lifetime is enough, that of the payload: {SHAPE}"),
        );
    }
    let count = data.fields.len();
    let mut head = None;
    let mut tail = None;
    for (i, (field, member)) in data.fields.iter().zip(data.fields.members()).enumerate() {
        let span = field_span(field);
        let Type::Reference(reference) = &field.ty else {
            errors.at(&field.ty, format_args!("not a reference: {SHAPE}"));
            continue;
        };
        if reference.mutability.is_some() {
            errors.at(
                &field.ty,
                "a payload is shared by its readers: take it as `&`, not `&mut`",
            );
            continue;
        }
        let last = i + 1 == count;
        match (&*reference.elem, last, i) {
            (Type::Slice(slice), true, _) => {
                tail = Some(Part {
                    member,
                    ty: (*slice.elem).clone(),
                    span,
                });
            }
            (Type::Slice(_), false, _) => {
                errors.at(field, format_args!("a tail stands last: {SHAPE}"))
            }
            (_, true, _) => errors.at(
                field,
                format_args!("the last field is a slice, `&'a [T]`: {SHAPE}"),
            ),
            (ty, false, 0) => {
                head = Some(Part {
                    member,
                    ty: ty.clone(),
                    span,
                });
            }
            (_, false, _) => errors.at(
                field,
                format_args!("a second head: put the two into one struct; {SHAPE}"),
            ),
        }
    }
    if let Fields::Unit = data.fields {
        errors.at(&input.ident, SHAPE);
    }
    if errors.0.len() > before {
        return None;
    }
    Some((head, tail?))
}
