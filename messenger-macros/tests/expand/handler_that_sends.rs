impl ::messenger::__macro::Handler for Ping {
    const ID: ::messenger::__macro::SourceId = ::messenger::__macro::source_id(
        Hid::Ping as ::core::primitive::i128,
    );
    const NAME: &'static ::core::primitive::str = "Ping";
    const SENDS: &'static [::messenger::__macro::MessageInfo] = &[
        ::messenger::__macro::MessageInfo::of::<Ball>(),
        ::messenger::__macro::MessageInfo::of::<words::Note<'_>>(),
    ];
}
impl ::messenger::__macro::SentBy<Ping> for Ball {}
impl ::messenger::__macro::SentBy<Ping> for words::Note<'_> {}
impl ::messenger::__macro::Lifecycle for Ping {}
const _: ::messenger::__macro::SourceId = ::messenger::__macro::source_id(
    Hid::Ping as ::core::primitive::i128,
);
