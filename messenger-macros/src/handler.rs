//! `derive(Handler)`: who a handler is, and what it sends.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, DeriveInput, Expr, Ident, LitStr, Meta, Path, Token, Type};

use crate::attribute::{self, Given, number, options};
use crate::report::{Errors, list_of, located, nearest};

/// The options of `#[handler(..)]`.
const OPTIONS: [&str; 5] = ["id", "sends", "lifecycle", "name", "crate"];

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let attrs = Attrs::read(input, &mut errors);
    expand(input, &attrs, errors)
}

/// What the attributes say. What they leave open has a value that keeps the rest of the expansion going.
struct Attrs {
    id: Option<Expr>,
    sends: Vec<Type>,
    lifecycle: bool,
    name: LitStr,
    krate: Path,
}

impl Attrs {
    fn read(input: &DeriveInput, errors: &mut Errors) -> Self {
        let ident = &input.ident;
        let mut attrs = Self {
            id: None,
            sends: Vec::new(),
            lifecycle: false,
            name: LitStr::new(&ident.unraw().to_string(), ident.span()),
            krate: syn::parse_quote!(::messenger),
        };
        let mut seen = Vec::new();
        let mut last = None;
        for attribute in &input.attrs {
            if attribute.path().is_ident("handler") {
                attrs.read_one(attribute, &mut seen, errors);
                last = Some(attribute);
            }
        }
        match last {
            None => errors.at(
                ident,
                format_args!(
                    "`{ident}` needs an id: add `#[handler(id = .., sends(..))]` under the derive; it sends \
                     nothing if `sends` is left out"
                ),
            ),
            // A mistake in an option already says what to write; that it is missing as well would be noise.
            Some(attribute) if attrs.id.is_none() && errors.0.is_empty() => errors.at(
                &attribute.meta,
                format_args!("`{ident}` needs an id: add `id = ..`, a variant of a `messenger_id_enum!` or a number"),
            ),
            Some(_) => {}
        }
        attrs
    }

    fn read_one(&mut self, attribute: &Attribute, seen: &mut Vec<String>, errors: &mut Errors) {
        let Meta::List(list) = &attribute.meta else {
            errors.at(
                attribute,
                "write the options in parentheses: `#[handler(id = .., sends(..))]`",
            );
            return;
        };
        for option in options(list.tokens.clone()) {
            let name = match Parser::parse2(name_of, option.clone()) {
                Ok(name) => name,
                Err(error) => {
                    errors.0.push(error);
                    continue;
                }
            };
            let text = name.to_string();
            if !OPTIONS.contains(&text.as_str()) {
                let meant = nearest(&text, OPTIONS)
                    .map(|near| format!(" (did you mean `{near}`?)"))
                    .unwrap_or_default();
                errors.at(
                    &name,
                    format_args!(
                        "there is no option `{text}`{meant}; the options are {}",
                        list_of(OPTIONS)
                    ),
                );
                continue;
            }
            if seen.contains(&text) {
                errors.at(&name, format_args!("`{text}` stands twice: keep one"));
                continue;
            }
            seen.push(text);
            if let Err(error) = self.set(&name, option, errors) {
                errors.0.push(error);
            }
        }
    }

    fn set(&mut self, name: &Ident, option: TokenStream, errors: &mut Errors) -> syn::Result<()> {
        match name.to_string().as_str() {
            "lifecycle" => {
                syn::parse2::<Ident>(option).map_err(|_| {
                    syn::Error::new_spanned(
                        name,
                        "`lifecycle` stands alone: it says that you write `impl Lifecycle` yourself",
                    )
                })?;
                self.lifecycle = true;
            }
            "sends" => {
                let Ok(Meta::List(list)) = syn::parse2(option) else {
                    return Err(syn::Error::new_spanned(
                        name,
                        "write the messages in parentheses: `sends(Ball, Note<'_>)`",
                    ));
                };
                let sends = Punctuated::<Type, Token![,]>::parse_terminated.parse2(list.tokens)?;
                let mut seen = Vec::new();
                for message in sends {
                    let text = message.to_token_stream().to_string();
                    if seen.contains(&text) {
                        errors.at(
                            &message,
                            format_args!("`{text}` stands twice in `sends`: keep one"),
                        );
                    } else {
                        seen.push(text);
                        self.sends.push(message);
                    }
                }
            }
            text => {
                let Given { value, .. } = syn::parse2(option)?;
                match text {
                    "id" => self.id = Some(attribute::id_in(value)?),
                    "crate" => self.krate = attribute::krate(value)?,
                    _ => {
                        self.name = syn::parse2(value.clone()).map_err(|_| {
                            syn::Error::new_spanned(
                                value,
                                "a name is a text in quotes: `name = \"Ping\"`",
                            )
                        })?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The name that an option begins with.
fn name_of(input: syn::parse::ParseStream<'_>) -> syn::Result<Ident> {
    let name = Ident::parse_any(input)?;
    input.parse::<TokenStream>()?;
    Ok(name)
}

fn expand(input: &DeriveInput, attrs: &Attrs, errors: Errors) -> TokenStream {
    let Attrs {
        sends, name, krate, ..
    } = attrs;
    let ident = &input.ident;
    let (generics, ty, bounds) = input.generics.split_for_impl();

    let id_span = attrs
        .id
        .as_ref()
        .map_or_else(|| ident.span(), Spanned::span)
        .resolved_at(Span::call_site());
    let is_known = attrs.id.is_some() && errors.0.is_empty();
    let id = match &attrs.id {
        Some(id) if is_known => {
            let checked = located(quote!(#krate::__macro::source_id), id_span);
            let id = number(id, id_span);
            quote_spanned!(id_span=> #checked(#id))
        }
        // In place of the value, the errors also silence all that the compiler would conclude from it.
        _ => {
            let errors = errors.into_tokens();
            quote!({ #errors })
        }
    };
    let is_free = is_known && input.generics.params.is_empty();
    let checked_id = is_free.then(|| {
        // The free constant is there for its errors: those of an associated one show where it is first used.
        quote_spanned!(id_span=> const _: #krate::__macro::SourceId = #id;)
    });
    let lifecycle = (!attrs.lifecycle).then(|| {
        quote! {
            impl #generics #krate::__macro::Lifecycle for #ident #ty #bounds {}
        }
    });
    quote! {
        impl #generics #krate::__macro::Handler for #ident #ty #bounds {
            const ID: #krate::__macro::SourceId = #id;
            const NAME: &'static ::core::primitive::str = #name;
            const SENDS: &'static [#krate::__macro::MessageInfo] =
                &[#(#krate::__macro::MessageInfo::of::<#sends>()),*];
        }
        #(
            impl #generics #krate::__macro::SentBy<#ident #ty> for #sends #bounds {}
        )*
        #lifecycle
        #checked_id
    }
}
