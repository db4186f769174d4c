Game;
Court (color = 3):
    handlers: [ ping: Ping, pong: Pong = Pong ]
    routes: [
        Ping, Ball: [pnog, pong],
        Pong Back: [ping],
    ]
