# [message (id = Mid :: Book , codec = zero_copy)]
struct Book<'a> {
    head: &'a Quote,
    levels: &'a [Level],
}

impl<'a> ::messenger::__macro::Message for Book<'a> {
    const ID: ::messenger::__macro::MessageId =
        ::messenger::__macro::message_id(Mid::Book as ::core::primitive::i128);
    const NAME: &'static ::core::primitive::str = "Book";
    type Mode = ::messenger::__macro::Serialized;
    const SCHEMA: ::messenger::__macro::Schema = {
        #[allow(unused_imports)]
        use ::messenger::__macro::Unknown as _;
        const __SHAPE: ::messenger::__macro::TailShape = ::messenger::__macro::TailShape {
            size: ::core::mem::size_of::<Quote>(),
            align: ::core::mem::align_of::<Quote>(),
            head: &::messenger::__macro::TypeShape {
                print: ::messenger::__macro::Probe::<Quote>::LAYOUT,
                primitive: ::messenger::__macro::Probe::<Quote>::PRIMITIVE,
                text: "Quote",
                of: ::messenger::__macro::Of::One(::messenger::__macro::Probe::<Quote>::SHAPE),
            },
            item_size: ::core::mem::size_of::<Level>(),
            item: &::messenger::__macro::TypeShape {
                print: ::messenger::__macro::Probe::<Level>::LAYOUT,
                primitive: ::messenger::__macro::Probe::<Level>::PRIMITIVE,
                text: "Level",
                of: ::messenger::__macro::Of::One(::messenger::__macro::Probe::<Level>::SHAPE),
            },
        };
        ::messenger::__macro::tail_schema::<Quote, Level>(
            ::core::concat!(::core::module_path!(), "::Book"),
            &::messenger::__macro::Shape::Tail(__SHAPE),
        )
    };
}
const _: ::messenger::__macro::MessageId =
    ::messenger::__macro::message_id(Mid::Book as ::core::primitive::i128);
const _: () = ::messenger::__macro::tail_follows::<Quote, Level>("Book", "Level");
impl<'a> ::messenger::__macro::Tailed<'a> for Book<'a> {
    type Head = Quote;
    type Item = Level;
    #[inline]
    fn parts(&self) -> (&'a Self::Head, &'a [Self::Item]) {
        (self.head, self.levels)
    }
    #[inline]
    fn join(__head: &'a Self::Head, __tail: &'a [Self::Item]) -> Self {
        Self {
            head: __head,
            levels: __tail,
        }
    }
}
impl<'a> ::messenger::__macro::ExtendedMessage for Book<'a> {
    #[inline]
    fn encoded_len(
        &self,
    ) -> ::core::result::Result<::core::primitive::usize, ::messenger::__macro::EncodeError> {
        ::messenger::__macro::tailed_len(self)
    }
    #[inline]
    fn write(
        &self,
        __to: &mut ::messenger::__macro::PayloadWriter<'_>,
    ) -> ::core::result::Result<(), ::messenger::__macro::EncodeError> {
        ::messenger::__macro::write_tailed(self, __to)
    }
}
impl<'a> ::messenger::__macro::DeserializeFrom<'a> for Book<'a> {
    #[inline]
    fn deserialize_from(
        __bytes: &'a [::core::primitive::u8],
    ) -> ::core::result::Result<Self, ::messenger::__macro::DecodeError> {
        ::messenger::__macro::read_tailed(__bytes)
    }
}
