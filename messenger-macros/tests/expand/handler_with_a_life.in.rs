#[handler(id = 7, lifecycle, name = "Pong of the east", crate = game::messenger)]
struct Pong<T: 'static>(T);
