# [message (id = Mid :: Ball , codec = bincode)]
struct Ball {
    n: u8,
}

impl ::messenger::__macro::Message for Ball {
    const ID: ::messenger::__macro::MessageId =
        ::messenger::__macro::message_id(Mid::Ball as ::core::primitive::i128);
    const NAME: &'static ::core::primitive::str = "Ball";
    type Mode = ::messenger::__macro::Serialized;
    const SCHEMA: ::messenger::__macro::Schema = ::messenger::__macro::Schema::serialized(
        "bincode",
        ::core::concat!(::core::module_path!(), "::Ball"),
    );
}
const _: ::messenger::__macro::MessageId =
    ::messenger::__macro::message_id(Mid::Ball as ::core::primitive::i128);
impl ::messenger::__macro::ByBincode for Ball {
    type Value = Self;
    #[inline]
    fn value(&self) -> &Self {
        self
    }
}
impl ::messenger::__macro::ExtendedMessage for Ball {
    #[inline]
    fn encoded_len(
        &self,
    ) -> ::core::result::Result<::core::primitive::usize, ::messenger::__macro::EncodeError> {
        ::messenger::__macro::ByBincode::count(self)
    }
    #[inline]
    fn write(
        &self,
        __to: &mut ::messenger::__macro::PayloadWriter<'_>,
    ) -> ::core::result::Result<(), ::messenger::__macro::EncodeError> {
        ::messenger::__macro::ByBincode::put(self, __to)
    }
}
impl<'__payload> ::messenger::__macro::DeserializeFrom<'__payload> for Ball {
    #[inline]
    fn deserialize_from(
        __bytes: &'__payload [::core::primitive::u8],
    ) -> ::core::result::Result<Self, ::messenger::__macro::DecodeError> {
        ::messenger::__macro::bincode::decode::<Self>(__bytes)
    }
}
