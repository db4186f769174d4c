impl<T: 'static> game::messenger::__macro::Handler for Pong<T> {
    const ID: game::messenger::__macro::SourceId = game::messenger::__macro::source_id(
        7 as ::core::primitive::i128,
    );
    const NAME: &'static ::core::primitive::str = "Pong of the east";
    const SENDS: &'static [game::messenger::__macro::MessageInfo] = &[];
}
