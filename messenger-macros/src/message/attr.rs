//! `#[message(id = .., codec = .., name = "..", crate = ..)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, DeriveInput, Expr, Ident, LitStr, Meta, Path};

use crate::attribute::{self, Given, number, options};
use crate::report::{Errors, list_of, located, nearest};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Bincode,
    Postcard,
    Prost,
    ZeroCopy,
}

impl Codec {
    const ALL: [Self; 4] = [Self::Bincode, Self::Postcard, Self::Prost, Self::ZeroCopy];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bincode => "bincode",
            Self::Postcard => "postcard",
            Self::Prost => "prost",
            Self::ZeroCopy => "zero_copy",
        }
    }
}

/// What the attributes say. What they leave open has a value that keeps the rest of the expansion going.
pub(super) struct Attrs {
    pub(super) id: Option<Expr>,
    pub(super) codec: Option<(Codec, Ident)>,
    pub(super) name: Option<LitStr>,
    pub(super) krate: Path,
    ident: Ident,
}

impl Attrs {
    /// Those of a message, which must have an id and a codec.
    pub(super) fn of_message(input: &DeriveInput, errors: &mut Errors) -> Self {
        let before = errors.0.len();
        let attrs = Self::read(input, &["id", "codec", "name", "crate"], errors);
        let ident = &input.ident;
        let Some(attribute) = input.attrs.iter().find(|it| it.path().is_ident("message")) else {
            errors.at(
                ident,
                format_args!(
                    "`{ident}` needs an id and a codec: add `#[message(id = .., codec = bincode)]` under the derive"
                ),
            );
            return attrs;
        };
        // A mistake in an option already says what to write; that it is missing as well would be noise.
        if errors.0.len() == before {
            if attrs.id.is_none() {
                errors.at(
                    &attribute.meta,
                    format_args!("`{ident}` needs an id: add `id = ..`, a variant of a `messenger_id_enum!` or a number"),
                );
            }
            if attrs.codec.is_none() {
                errors.at(
                    &attribute.meta,
                    format_args!(
                        "`{ident}` needs a codec: add `codec = ..`, one of {}",
                        codecs()
                    ),
                );
            }
        }
        attrs
    }

    /// Those of a part of messages.
    pub(super) fn of_plain(input: &DeriveInput, errors: &mut Errors) -> Self {
        // A type may be a part and a message by itself; the message's derive reads the other options.
        Self::read(input, &["id", "codec", "name", "crate"], errors)
    }

    fn read(input: &DeriveInput, known: &[&str], errors: &mut Errors) -> Self {
        let mut attrs = Self {
            id: None,
            codec: None,
            name: None,
            krate: syn::parse_quote!(::messenger),
            ident: input.ident.clone(),
        };
        let mut seen = Vec::new();
        for attribute in &input.attrs {
            if attribute.path().is_ident("message") {
                attrs.read_one(attribute, known, &mut seen, errors);
            }
        }
        attrs
    }

    fn read_one(
        &mut self,
        attribute: &Attribute,
        known: &[&str],
        seen: &mut Vec<String>,
        errors: &mut Errors,
    ) {
        let Meta::List(list) = &attribute.meta else {
            errors.at(
                attribute,
                "write the options in parentheses: `#[message(id = .., codec = ..)]`",
            );
            return;
        };
        for option in options(list.tokens.clone()) {
            let (name, value) = match syn::parse2(option) {
                Ok(Given { name, value }) => (name, value),
                Err(error) => {
                    errors.0.push(error);
                    continue;
                }
            };
            let text = name.to_string();
            if !known.contains(&text.as_str()) {
                errors.at(
                    &name,
                    match nearest(&text, known.iter().copied()) {
                        Some(meant) => {
                            format!("there is no option `{text}`: did you mean `{meant}`?")
                        }
                        None => format!(
                            "there is no option `{text}`; the options are {}",
                            list_of(known)
                        ),
                    },
                );
                continue;
            }
            if seen.contains(&text) {
                errors.at(&name, format_args!("`{text}` stands twice: keep one"));
                continue;
            }
            if let Err(error) = self.set(&text, value) {
                errors.0.push(error);
            }
            seen.push(text);
        }
    }

    fn set(&mut self, name: &str, value: TokenStream) -> syn::Result<()> {
        match name {
            "id" => self.id = Some(attribute::id_in(value)?),
            "name" => {
                self.name = Some(syn::parse2(value.clone()).map_err(|_| {
                    syn::Error::new_spanned(value, "a name is a text in quotes: `name = \"Ball\"`")
                })?);
            }
            "crate" => self.krate = attribute::krate(value)?,
            _ => {
                let wrong = || {
                    let given = value.to_string();
                    let text = match nearest(&given, Codec::ALL.map(Codec::name)) {
                        Some(meant) => {
                            format!("there is no codec `{given}`: did you mean `{meant}`?")
                        }
                        None => format!("there is no codec `{given}`; the codecs are {}", codecs()),
                    };
                    syn::Error::new_spanned(&value, text)
                };
                let ident: Ident = syn::parse2(value.clone()).map_err(|_| wrong())?;
                let codec = Codec::ALL
                    .into_iter()
                    .find(|codec| ident == codec.name())
                    .ok_or_else(wrong)?;
                self.codec = Some((codec, ident));
            }
        }
        Ok(())
    }

    /// The name people see.
    pub(super) fn name(&self) -> LitStr {
        self.name
            .clone()
            .unwrap_or_else(|| LitStr::new(&self.ident.unraw().to_string(), self.ident.span()))
    }

    /// The id's expression, with every token of its check at the user's.
    pub(super) fn id(&self) -> TokenStream {
        let krate = self.krate.to_token_stream();
        match &self.id {
            Some(id) => {
                let span = self.id_span();
                let check = located(quote!(#krate::__macro::message_id), span);
                let id = number(id, span);
                quote_spanned!(span=> #check(#id))
            }
            None => quote!(#krate::__macro::message_id(0)),
        }
    }

    pub(super) fn id_span(&self) -> Span {
        self.id
            .as_ref()
            .map_or_else(|| self.ident.span(), Spanned::span)
            .resolved_at(Span::call_site())
    }

    pub(super) fn codec_span(&self) -> Span {
        let ident = self.codec.as_ref().map_or(&self.ident, |(_, ident)| ident);
        ident.span().resolved_at(Span::call_site())
    }
}

fn codecs() -> String {
    list_of(Codec::ALL.map(Codec::name))
}
