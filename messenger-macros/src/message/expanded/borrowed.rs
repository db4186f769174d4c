# [message (id = 2 , codec = postcard , name = "Remark" , crate = crate :: bus)]
pub struct Note<'a> {
    text: &'a str,
}

impl<'a> crate::bus::__macro::Message for Note<'a> {
    const ID: crate::bus::__macro::MessageId =
        crate::bus::__macro::message_id(2 as ::core::primitive::i128);
    const NAME: &'static ::core::primitive::str = "Remark";
    type Mode = crate::bus::__macro::Serialized;
    const SCHEMA: crate::bus::__macro::Schema = crate::bus::__macro::Schema::serialized(
        "postcard",
        ::core::concat!(::core::module_path!(), "::Note"),
    );
}
const _: crate::bus::__macro::MessageId =
    crate::bus::__macro::message_id(2 as ::core::primitive::i128);
impl<'a> crate::bus::__macro::ByPostcard for Note<'a> {
    type Value = Self;
    #[inline]
    fn value(&self) -> &Self {
        self
    }
}
impl<'a> crate::bus::__macro::ExtendedMessage for Note<'a> {
    #[inline]
    fn encoded_len(
        &self,
    ) -> ::core::result::Result<::core::primitive::usize, crate::bus::__macro::EncodeError> {
        crate::bus::__macro::ByPostcard::count(self)
    }
    #[inline]
    fn write(
        &self,
        __to: &mut crate::bus::__macro::PayloadWriter<'_>,
    ) -> ::core::result::Result<(), crate::bus::__macro::EncodeError> {
        crate::bus::__macro::ByPostcard::put(self, __to)
    }
}
impl<'__payload: 'a, 'a> crate::bus::__macro::DeserializeFrom<'__payload> for Note<'a> {
    #[inline]
    fn deserialize_from(
        __bytes: &'__payload [::core::primitive::u8],
    ) -> ::core::result::Result<Self, crate::bus::__macro::DecodeError> {
        crate::bus::__macro::postcard::decode::<Self>(__bytes)
    }
}
