# [message (id = Mid :: Quote , codec = zero_copy)]
#[repr(C)]
struct Quote {
    price: u64,
    sides: [Side; 2],
    pad: [u8; 6],
}

impl ::messenger::__macro::Message for Quote {
    const ID: ::messenger::__macro::MessageId =
        ::messenger::__macro::message_id(Mid::Quote as ::core::primitive::i128);
    const NAME: &'static ::core::primitive::str = "Quote";
    type Mode = ::messenger::__macro::ZeroCopy;
    const SCHEMA: ::messenger::__macro::Schema =
        ::messenger::__macro::schema_of::<Self>(::core::concat!(::core::module_path!(), "::Quote"));
}
const _: ::messenger::__macro::MessageId =
    ::messenger::__macro::message_id(Mid::Quote as ::core::primitive::i128);
const _: () = {
    #[allow(unused_imports)]
    use ::messenger::__macro::Unknown as _;
    #[allow(non_upper_case_globals)]
    const __Quote_SHAPE: ::messenger::__macro::StructShape = ::messenger::__macro::StructShape {
        name: "Quote",
        size: ::core::mem::size_of::<Quote>(),
        align: ::core::mem::align_of::<Quote>(),
        fields: &[
            ::messenger::__macro::FieldShape {
                name: "price",
                offset: ::core::mem::offset_of!(Quote, price),
                size: ::core::mem::size_of::<u64>(),
                ty: ::messenger::__macro::TypeShape {
                    print: ::messenger::__macro::Probe::<u64>::LAYOUT,
                    primitive: ::messenger::__macro::Probe::<u64>::PRIMITIVE,
                    text: "u64",
                    of: ::messenger::__macro::Of::One(::messenger::__macro::Probe::<u64>::SHAPE),
                },
            },
            ::messenger::__macro::FieldShape {
                name: "sides",
                offset: ::core::mem::offset_of!(Quote, sides),
                size: ::core::mem::size_of::<[Side; 2]>(),
                ty: ::messenger::__macro::TypeShape {
                    print: ::messenger::__macro::array_layout(
                        ::messenger::__macro::Probe::<Side>::LAYOUT,
                        2,
                    ),
                    primitive: ::messenger::__macro::Probe::<[Side; 2]>::PRIMITIVE,
                    text: "[Side;2]",
                    of: ::messenger::__macro::Of::Array {
                        item: &::messenger::__macro::TypeShape {
                            print: ::messenger::__macro::Probe::<Side>::LAYOUT,
                            primitive: ::messenger::__macro::Probe::<Side>::PRIMITIVE,
                            text: "Side",
                            of: ::messenger::__macro::Of::One(
                                ::messenger::__macro::Probe::<Side>::SHAPE,
                            ),
                        },
                        len: 2,
                    },
                },
            },
            ::messenger::__macro::FieldShape {
                name: "pad",
                offset: ::core::mem::offset_of!(Quote, pad),
                size: ::core::mem::size_of::<[u8; 6]>(),
                ty: ::messenger::__macro::TypeShape {
                    print: ::messenger::__macro::array_layout(
                        ::messenger::__macro::Probe::<u8>::LAYOUT,
                        6,
                    ),
                    primitive: ::messenger::__macro::Probe::<[u8; 6]>::PRIMITIVE,
                    text: "[u8;6]",
                    of: ::messenger::__macro::Of::Array {
                        item: &::messenger::__macro::TypeShape {
                            print: ::messenger::__macro::Probe::<u8>::LAYOUT,
                            primitive: ::messenger::__macro::Probe::<u8>::PRIMITIVE,
                            text: "u8",
                            of: ::messenger::__macro::Of::One(
                                ::messenger::__macro::Probe::<u8>::SHAPE,
                            ),
                        },
                        len: 6,
                    },
                },
            },
        ],
    };
    const _: () = __Quote_SHAPE.no_padding_after(0usize);
    const _: () = __Quote_SHAPE.no_padding_after(1usize);
    const _: () = __Quote_SHAPE.no_padding_after(2usize);
    const _: () = __Quote_SHAPE.fits_a_payload();
    unsafe impl ::messenger::__macro::Plain for Quote {
        const SHAPE: ::core::option::Option<&'static ::messenger::__macro::Shape> =
            ::core::option::Option::Some(&::messenger::__macro::Shape::Struct(__Quote_SHAPE));
        #[inline]
        fn is_valid(__bits: &::messenger::__macro::Bits<Self>) -> ::core::primitive::bool {
            let _ = __bits;
            true && (::messenger::__macro::Probe::<u64>::ANY_BITS
                || __bits.are::<u64>(
                    ::core::mem::offset_of!(Quote, price),
                    ::core::mem::size_of::<u64>(),
                ))
                && (::messenger::__macro::Probe::<Side>::ANY_BITS
                    || __bits.are::<Side>(
                        ::core::mem::offset_of!(Quote, sides),
                        ::core::mem::size_of::<[Side; 2]>(),
                    ))
                && (::messenger::__macro::Probe::<u8>::ANY_BITS
                    || __bits.are::<u8>(
                        ::core::mem::offset_of!(Quote, pad),
                        ::core::mem::size_of::<[u8; 6]>(),
                    ))
        }
    }
};
impl ::messenger::__macro::ZeroCopyMessage for Quote {}
