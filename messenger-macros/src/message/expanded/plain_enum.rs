#[repr(u8)]
enum Side {
    Buy = 1,
    Sell = 2,
}

const _: () = ::messenger::__macro::no_padding_in_enum::<Side, ::core::primitive::u8>("Side");
unsafe impl ::messenger::__macro::Plain for Side {
    const SHAPE: ::core::option::Option<&'static ::messenger::__macro::Shape> = {
        const __SHAPE: ::messenger::__macro::EnumShape = ::messenger::__macro::EnumShape {
            size: ::core::mem::size_of::<Side>(),
            align: ::core::mem::align_of::<Side>(),
            variants: &[
                ("Buy", Side::Buy as ::core::primitive::i128),
                ("Sell", Side::Sell as ::core::primitive::i128),
            ],
        };
        ::core::option::Option::Some(&::messenger::__macro::Shape::Enum(__SHAPE))
    };
    #[inline]
    fn is_valid(__bits: &::messenger::__macro::Bits<Self>) -> ::core::primitive::bool {
        let __number = __bits.number::<::core::primitive::u8>();
        false
            || __number == Side::Buy as ::core::primitive::u8
            || __number == Side::Sell as ::core::primitive::u8
    }
}
