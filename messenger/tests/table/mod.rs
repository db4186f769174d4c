//! Small tables for the tests of the runtime, without the proc macro: `by_hand.rs` shows what this stands for.

use messenger::bus::{Bus, BusConfig};

/// A bus of `bytes`.
pub(crate) fn bus(bytes: usize) -> Bus {
    Bus::new(BusConfig::bytes(bytes)).unwrap()
}

/// What handlers tell the test, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Waits until `there` says so.
pub(crate) fn until(mut there: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !there() {
        assert!(
            begun.elapsed().as_secs() < 60,
            "waited for a minute in vain"
        );
        std::thread::yield_now();
    }
}

/// Messages that hold one number, sent as its eight bytes; anything else does not decode.
#[macro_export]
macro_rules! numbers {
    ($($id:literal $name:ident)+) => {$(
        #[derive(Clone, Debug)]
        pub(crate) struct $name(pub(crate) u64);

        impl messenger::message::Message for $name {
            const ID: messenger::bus::MessageId = messenger::bus::MessageId::new($id);
            const NAME: &'static str = stringify!($name);
            type Mode = messenger::message::Serialized;
        }

        impl messenger::message::ExtendedMessage for $name {
            fn encoded_len(&self) -> Result<usize, messenger::message::EncodeError> {
                Ok(8)
            }
            fn write(
                &self,
                to: &mut messenger::bus::PayloadWriter<'_>,
            ) -> Result<(), messenger::message::EncodeError> {
                Ok(to.put(&self.0.to_le_bytes())?)
            }
        }

        impl messenger::message::DeserializeFrom<'_> for $name {
            fn deserialize_from(bytes: &[u8]) -> Result<Self, messenger::message::DecodeError> {
                match bytes.try_into() {
                    Ok(bytes) => Ok(Self(u64::from_le_bytes(bytes))),
                    Err(_) => Err(messenger::message::DecodeError::WrongSize {
                        len: bytes.len(),
                        expected: 8,
                    }),
                }
            }
        }
    )+};
}

/// Handlers: their ids and what they send. `+` after the name: the test writes the life cycle.
#[macro_export]
macro_rules! handlers {
    ($($id:literal $name:ident $(+ $lifecycle:ident)? sends($($message:ty),*);)+) => {$(
        impl messenger::Handler for $name {
            const ID: messenger::bus::SourceId = messenger::bus::SourceId::new($id);
            const NAME: &'static str = stringify!($name);
            const SENDS: &'static [messenger::message::MessageInfo] =
                &[$(messenger::message::MessageInfo::of::<$message>()),*];
        }
        $(impl messenger::SentBy<$name> for $message {})*
        $crate::handlers!(@lifecycle $name $($lifecycle)?);
    )+};
    (@lifecycle $name:ident lifecycle) => {};
    (@lifecycle $name:ident) => {
        impl messenger::Lifecycle for $name {}
    };
}

/// A table. Handlers and receivers are numbered by hand, which the proc macro does by itself.
#[macro_export]
macro_rules! table {
    (
        $app:ident($config:ident: $Config:ty)
        outside[$($outside:ty),*]
        drop[$($dropped_source:ty, $dropped:ty);*]
        $($w:literal $worker:ident ($options:expr) {
            $($h:literal $field:ident $SEAT:ident: $Handler:ty = $make:expr;)+
            routes($count:literal)
            $($r:literal $Source2:ty, $Message:ty => [$($receiver:literal $to_field:ident $TO:ident),+];)*
        })+
    ) => {
        #[derive(Debug)]
        pub(crate) enum $app {}

        impl $app {
            pub(crate) fn builder(bus: messenger::bus::Bus, config: $Config) -> messenger::Builder<Self> {
                messenger::Builder::new(bus, config)
            }
        }

        const _: () = {
            use messenger::__macro as m;

            $(
                struct $worker {
                    $($field: $Handler),+
                }

                impl $worker {
                    $(const $SEAT: m::Seat = m::Seat::of::<$Handler>($h);)+
                    const ROUTES: &'static [m::Route] =
                        &[$(m::Route::of::<$Source2, $Message>(&[$($receiver),+])),*];
                    const TABLE: &'static m::RouteTable<
                        { m::route_slots($count) },
                        { m::route_buckets($count) },
                    > = &m::RouteTable::new(Self::ROUTES);
                    $(
                        fn $field($config: &$Config) -> m::Result<$Handler> {
                            let _ = $config;
                            m::made($make)
                        }
                    )+
                }

                impl m::Worker for $worker {
                    type App = $app;
                    const INFO: m::WorkerInfo = m::WorkerInfo {
                        name: stringify!($worker),
                        options: $options,
                        handlers: &[$(m::HandlerInfo::of::<$Handler>(stringify!($field))),+],
                        routes: Self::ROUTES,
                    };
                    fn make($config: &$Config, making: &mut m::Making<'_>) -> Option<Self> {
                        Some(Self {
                            $($field: making.handler(Self::$SEAT, || Self::$field($config))?),+
                        })
                    }
                    fn remake(&mut self, handler: usize, $config: &$Config) -> m::Result {
                        match handler {
                            $($h => self.$field = Self::$field($config)?,)+
                            _ => {}
                        }
                        Ok(())
                    }
                    #[inline]
                    fn find(tag: m::Tag) -> Option<usize> {
                        Self::TABLE.find(tag)
                    }
                    #[inline]
                    fn dispatch(&mut self, route: usize, payload: &[u8], to: &mut m::Delivery<'_>) {
                        let _ = (payload, &to);
                        match route {
                            $($r => $crate::table!(
                                @deliver self to payload $Message, $($to_field $TO),+
                            ),)*
                            _ => {}
                        }
                    }
                    fn visit<V: m::Visitor>(&mut self, handler: usize, visitor: &mut V) {
                        match handler {
                            $($h => visitor.visit(Self::$SEAT, &mut self.$field),)+
                            _ => {}
                        }
                    }
                    #[inline]
                    fn each<V: m::Visitor>(&mut self, visitor: &mut V) {
                        $(visitor.visit(Self::$SEAT, &mut self.$field);)+
                    }
                }
            )+

            impl m::App for $app {
                type Config = $Config;
                const INFO: &'static m::AppInfo = &m::AppInfo {
                    name: stringify!($app),
                    workers: &[$(&<$worker as m::Worker>::INFO),+],
                    outside: &[$(m::SourceInfo::of::<$outside>()),*],
                    dropped: &[$(m::Dropped::of::<$dropped_source, $dropped>()),*],
                };
                fn spawn(worker: usize, spawner: &mut m::Spawner<'_, Self>) {
                    match worker {
                        $($w => spawner.spawn::<$worker>(),)+
                        _ => {}
                    }
                }
            }

            $(impl m::Outside<$app> for $outside {})*

            const FAULTS: &m::Faults =
                &m::Faults::find::<{ <$app as m::App>::INFO.entries() }>(<$app as m::App>::INFO);
            $(
                $(const _: () = FAULTS.handler($w, $h);)+
                $(const _: () = FAULTS.route($w, $r);)*
            )+
        };
    };
    (@deliver $self:ident $to:ident $payload:ident $Message:ty, $field:ident $SEAT:ident) => {
        $to.deliver::<$Message, _>(Self::$SEAT, &mut $self.$field, $payload)
    };
    (@deliver $self:ident $to:ident $payload:ident $Message:ty, $($field:ident $SEAT:ident),+) => {
        $to.receive::<$Message>($payload, |to, m| {
            $(to.handle::<$Message, _>(Self::$SEAT, &mut $self.$field, m);)+
        })
    };
}
