//! Schemas for tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A name that a text of lines and fields must not stumble over.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z][a-z]{1,8}",
        "[\t\n\r\\\\a-c,\0\u{2028}]{0,8}",
        any::<String>()
    ]
}

fn table(messages: Vec<MessageId>, sources: Vec<SourceId>) -> impl Strategy<Value = Table> {
    let source = proptest::sample::select(sources);
    let message = proptest::sample::select(messages);
    let handler =
        (name(), source.clone(), name()).prop_map(|(name, source, type_name)| HandlerEntry {
            name,
            source,
            type_name,
        });
    let route = (source.clone(), message.clone(), vec(0_u16..4, 0..4)).prop_map(
        |(source, message, receivers)| RouteEntry {
            source,
            message,
            receivers,
        },
    );
    let worker =
        (name(), vec(handler, 0..4), vec(route, 0..6)).prop_map(|(name, handlers, routes)| {
            WorkerEntry {
                name,
                handlers,
                routes,
            }
        });
    let outside =
        (source.clone(), name()).prop_map(|(source, type_name)| OutsideEntry { source, type_name });
    let dropped = (source, message).prop_map(|(source, message)| DroppedEntry { source, message });
    (
        name(),
        vec(worker, 0..3),
        vec(outside, 0..3),
        vec(dropped, 0..3),
    )
        .prop_map(|(name, workers, outside, dropped)| Table {
            name,
            workers,
            outside,
            dropped,
        })
}

fn shape() -> impl Strategy<Value = ShapeEntry> {
    let field =
        (name(), any::<(u64, u64)>(), name()).prop_map(|(name, (offset, size), type_name)| {
            FieldEntry {
                name,
                offset,
                size,
                type_name,
            }
        });
    let variant = (name(), any::<i128>()).prop_map(|(name, number)| VariantEntry { name, number });
    let parts = prop_oneof![
        vec(field, 0..4).prop_map(Parts::Struct),
        vec(variant, 0..4).prop_map(Parts::Enum),
        (name(), any::<u64>(), name()).prop_map(|(head, item_size, item)| Parts::Tail {
            head,
            item_size,
            item,
        }),
    ];
    (any::<(u64, u64, u64)>(), parts).prop_map(|((layout, size, align), parts)| ShapeEntry {
        layout,
        size,
        align,
        parts,
    })
}

/// Any schema of some messages, sources, tables and shapes.
pub(super) fn schema() -> impl Strategy<Value = Schema> {
    let message = (
        any::<u16>(),
        (name(), name(), name()),
        any::<u64>(),
        any::<(u64, u64)>(),
    )
        .prop_map(
            |(id, (name, codec, path), size, (align, layout))| MessageEntry {
                id: MessageId::new(id),
                name,
                codec,
                path,
                size,
                align,
                layout,
            },
        );
    let source = (any::<u16>(), name()).prop_map(|(id, name)| SourceEntry {
        id: SourceId::new(id),
        name,
    });
    let named = (vec(message, 1..6), vec(source, 1..6), vec(shape(), 0..4));
    let named = named.prop_map(|(messages, sources, shapes)| {
        let mut schema = Schema::default();
        for shape in shapes {
            schema.add_shape(shape);
        }
        for message in messages {
            schema.add_message(message);
        }
        for source in sources {
            schema.add_source(source);
        }
        schema
    });
    named.prop_flat_map(|schema| {
        let messages = schema.messages.iter().map(|entry| entry.id).collect();
        let sources = schema.sources.iter().map(|entry| entry.id).collect();
        vec(table(messages, sources), 0..3).prop_map(move |tables| {
            let mut schema = schema.clone();
            for table in tables {
                schema.add_table(table);
            }
            schema
        })
    })
}
