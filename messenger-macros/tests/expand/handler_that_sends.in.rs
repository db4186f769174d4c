#[handler(id = Hid::Ping, sends(Ball, words::Note<'_>))]
pub struct Ping {
    last: u8,
}
