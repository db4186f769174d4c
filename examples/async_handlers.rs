//! Async handlers: a client and a server that talk over TCP, between hops on the bus.
//!
//! ```text
//!              Question              a line of TCP              Request
//!     asker ------------> client ========================> server ---------> squarer
//!           <------------        <========================        <---------
//!               Answer               a line of TCP              Response
//! ```
//!
//! *Asker* and *squarer* are plain handlers, which never wait for anything. *Client* and *server*
//! are tokio tasks: each takes its messages one after the other from a mailbox of its own, and may
//! await what it likes, while the workers go on. The server's port is chosen by the system, and
//! the client hears of it by a message.

use messenger::bus::{Bus, BusConfig};
use messenger::{
    AsyncHandler, AsyncOutbox, Handle, HandleAsync, Handler, HandlerError, Message, Outbox, Result,
    TaskPublisher, messenger, messenger_id_enum,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// How many numbers the asker wants squared.
const QUESTIONS: u64 = 1000;

messenger_id_enum! {
    enum Mid { Listening = 1, Connected = 2, Question = 3, Request = 4, Response = 5, Answer = 6 }
}

messenger_id_enum! {
    enum Hid { Asker = 1, Client = 2, Server = 3, Squarer = 4 }
}

/// The server listens on this port of this machine.
#[derive(Clone, Serialize, Deserialize, Message)]
#[message(id = Mid::Listening, codec = bincode)]
struct Listening {
    port: u16,
}

/// The client has reached the server.
#[derive(Clone, Serialize, Deserialize, Message)]
#[message(id = Mid::Connected, codec = bincode)]
struct Connected;

#[derive(Clone, Serialize, Deserialize, Message)]
#[message(id = Mid::Question, codec = bincode)]
struct Question {
    number: u64,
}

/// A question that came over a connection of the server.
#[derive(Clone, Serialize, Deserialize, Message)]
#[message(id = Mid::Request, codec = bincode)]
struct Request {
    connection: u64,
    number: u64,
}

#[derive(Clone, Serialize, Deserialize, Message)]
#[message(id = Mid::Response, codec = bincode)]
struct Response {
    connection: u64,
    square: u64,
}

#[derive(Clone, Serialize, Deserialize, Message)]
#[message(id = Mid::Answer, codec = bincode)]
struct Answer {
    square: u64,
}

/// Asks for one square after the other, and adds them up.
#[derive(Handler)]
#[handler(id = Hid::Asker, sends(Question))]
struct Asker {
    asked: u64,
    sum: u64,
    done: Sender<u64>,
}

impl Asker {
    fn ask(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.asked += 1;
        out.send(&Question { number: self.asked })
    }
}

impl Handle<Connected> for Asker {
    fn handle(&mut self, _: &Connected, out: &mut Outbox<'_, Self>) -> Result {
        self.ask(out)
    }
}

impl Handle<Answer> for Asker {
    fn handle(&mut self, m: &Answer, out: &mut Outbox<'_, Self>) -> Result {
        self.sum += m.square;
        if self.asked.is_power_of_two() {
            println!("the square of {:3} is {:6}", self.asked, m.square);
        }
        if self.asked < QUESTIONS {
            return self.ask(out);
        }
        self.done.send(self.sum)?;
        out.stop();
        Ok(())
    }
}

/// Asks the server, once it knows where that is.
#[derive(Handler, Default)]
#[handler(id = Hid::Client, sends(Connected, Answer))]
struct Client {
    server: Option<BufReader<TcpStream>>,
}

impl AsyncHandler for Client {}

impl HandleAsync<Listening> for Client {
    async fn handle(&mut self, m: Listening, out: &mut AsyncOutbox<Self>) -> Result {
        let stream = TcpStream::connect(("127.0.0.1", m.port)).await?;
        stream.set_nodelay(true)?;
        self.server = Some(BufReader::new(stream));
        out.send(&Connected)
    }
}

impl HandleAsync<Question> for Client {
    async fn handle(&mut self, m: Question, out: &mut AsyncOutbox<Self>) -> Result {
        let not_yet = || HandlerError::new("a question came before the server's address");
        let server = self.server.as_mut().ok_or_else(not_yet)?;
        server
            .write_all(format!("{}\n", m.number).as_bytes())
            .await?;
        let mut line = String::new();
        server.read_line(&mut line).await?;
        out.send(&Answer {
            square: line.trim().parse()?,
        })
    }
}

/// Takes connections, and puts what comes over them on the bus.
#[derive(Handler, Default)]
#[handler(id = Hid::Server, sends(Listening, Request))]
struct Server {
    connections: Connections,
}

/// Where to write responses to, by the number of the connection.
type Connections = Arc<Mutex<HashMap<u64, OwnedWriteHalf>>>;

impl AsyncHandler for Server {
    async fn on_start(&mut self, out: &mut AsyncOutbox<Self>) -> Result {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(accept(listener, self.connections.clone(), out.publisher()));
        out.send(&Listening { port })
    }
}

impl HandleAsync<Response> for Server {
    async fn handle(&mut self, m: Response, _: &mut AsyncOutbox<Self>) -> Result {
        if let Some(connection) = self.connections.lock().await.get_mut(&m.connection) {
            connection
                .write_all(format!("{}\n", m.square).as_bytes())
                .await?;
        }
        Ok(())
    }
}

/// Takes connections as long as the runtime lives, each into a task of its own.
async fn accept(
    listener: TcpListener,
    connections: Connections,
    publisher: TaskPublisher<Server>,
) -> Result {
    for connection in 0.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        connections.lock().await.insert(connection, writer);
        let (connections, publisher) = (connections.clone(), publisher.clone());
        tokio::spawn(async move {
            let mut lines = BufReader::new(reader).lines();
            // Ends with the connection, or when the messenger has been stopped.
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(number) = line.parse() else { break };
                if publisher
                    .send(&Request { connection, number })
                    .await
                    .is_err()
                {
                    break;
                }
            }
            connections.lock().await.remove(&connection);
        });
    }
    Ok(())
}

/// Does the work.
#[derive(Handler)]
#[handler(id = Hid::Squarer, sends(Response))]
struct Squarer;

impl Handle<Request> for Squarer {
    fn handle(&mut self, m: &Request, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Response {
            connection: m.connection,
            square: m.number * m.number,
        })
    }
}

messenger! {
    Squares(done: Sender<u64>);

    Asking:
        handlers: [
            asker: Asker = Asker { asked: 0, sum: 0, done: done.clone() },
            client: async Client = Client::default(),
        ]
        routes: [
            Server, Listening: [client],
            Client, Connected: [asker],
            Asker, Question: [client],
            Client, Answer: [asker],
        ]

    Serving:
        handlers: [
            server: async Server (mailbox = 64) = Server::default(),
            squarer: Squarer = Squarer,
        ]
        routes: [
            Server, Request: [squarer],
            Squarer, Response: [server],
        ]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (done, sum) = channel();
    let bus = Bus::new(BusConfig::bytes(64 << 10))?;
    let squares = Squares::builder(bus, done).run_async().await?;
    squares.join_async().await?;

    let sum = sum.recv()?;
    println!("the squares up to that of {QUESTIONS} add up to {sum}");
    assert_eq!(sum, QUESTIONS * (QUESTIONS + 1) * (2 * QUESTIONS + 1) / 6);
    Ok(())
}
