//! Reading what is right, and refusing what isn't.

use super::wire::*;
use super::{ItchError, Reader, Record, skipped_length};
use messenger::message::zero_copy;
use proptest::prelude::*;

fn header(kind: u8) -> Header {
    Header {
        kind,
        instrument: U16::new(0x0102),
        tracking: U16::new(3),
        at: U48::new(0x0405_0607_0809),
    }
}

fn frame(record: &[u8]) -> Vec<u8> {
    let mut bytes = (record.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(record);
    bytes
}

fn delete(order: u64) -> OrderDelete {
    OrderDelete {
        header: header(b'D'),
        order: U64::new(order),
    }
}

/// Reads to the end: how many records, how many errors, and the last error.
fn read_all(bytes: &[u8]) -> (usize, usize, Option<ItchError>) {
    let (mut records, mut errors, mut last) = (0, 0, None);
    let mut reader = Reader::new(bytes);
    loop {
        match reader.read() {
            Ok(Some(_)) => records += 1,
            Ok(None) => return (records, errors, last),
            Err(error) => {
                errors += 1;
                last = Some(error);
            }
        }
    }
}

#[test]
fn every_byte_stands_where_the_specification_puts_it() {
    let bytes = b"A\x00\x0d\x00\x02\x1f\x1a\xce\xd5\x00\x01\
                  \x00\x00\x00\x00\x00\x00\x30\x39S\x00\x00\x01\x2cZVZZT   \x00\x01\x86\xa0";
    let Ok(Record::AddOrder(add)) = Record::parse(bytes, 0) else {
        panic!("not an order")
    };
    assert_eq!(add.header.instrument.get(), 13);
    assert_eq!(add.header.tracking.get(), 2);
    assert_eq!(add.header.at.get(), 0x1f1a_ced5_0001);
    assert_eq!(add.order.get(), 12345);
    assert_eq!(add.side, Side::Sell);
    assert_eq!(add.shares.get(), 300);
    assert_eq!(add.stock.to_string(), "ZVZZT");
    assert_eq!(add.price.get(), 10_0000);
    assert_eq!(zero_copy::bytes_of(add), bytes);
}

#[test]
fn all_types_are_known_by_their_length() {
    let lengths = b"S\x0cR\x27A\x24F\x28E\x1fC\x24X\x17D\x13U\x23P\x2cQ\x28\
                    H\x19Y\x14L\x1aV\x23W\x0cK\x1cJ\x23h\x15B\x13I\x32N\x14O\x30";
    for pair in lengths.chunks(2) {
        let (kind, length) = (pair[0], usize::from(pair[1]));
        let mut record = vec![0; length];
        record[0] = kind;
        match kind {
            b'S' => record[11] = b'O',
            b'A' | b'F' | b'P' => record[19] = b'B',
            b'C' => record[31] = b'Y',
            _ => {}
        }
        let parsed = Record::parse(&record, 0).unwrap();
        assert_eq!(
            matches!(parsed, Record::Skipped(_)),
            skipped_length(kind).is_some()
        );
        for wrong in [1, length - 1, length + 1] {
            record.resize(wrong, 0);
            let error = Record::parse(&record, 77).unwrap_err();
            assert!(
                matches!(error, ItchError::WrongLength { offset: 77, kind: k, expected, found }
                    if k == kind && expected == length && found == wrong),
                "{error}"
            );
        }
    }
}

#[test]
fn numbers_survive_the_wire() {
    assert_eq!(U48::new(u64::MAX).get(), (1 << 48) - 1);
    assert_eq!(U64::new(u64::MAX - 1).get(), u64::MAX - 1);
    assert_eq!(zero_copy::bytes_of(&U32::new(0x0102_0304)), [1, 2, 3, 4]);
    assert_eq!(Symbol::new("ABCDEFGHIJ").to_string(), "ABCDEFGH");
    assert_eq!(Symbol(*b"A\x00\xffB    ").to_string(), "A??B");
}

#[test]
fn bad_records_are_stepped_over_and_named() {
    let add = AddOrder {
        header: header(b'A'),
        order: U64::new(1),
        side: Side::Buy,
        shares: U32::new(100),
        stock: Symbol::new("ZVZZT"),
        price: U32::new(10_0000),
    };
    let mut bad_side = zero_copy::bytes_of(&add).to_vec();
    bad_side[19] = b'b';
    let feed = [
        frame(zero_copy::bytes_of(&delete(1))),
        frame(&bad_side),
        frame(b"z-unknown"),
        frame(&bad_side[..20]),
        frame(zero_copy::bytes_of(&delete(2))),
        vec![0, 0],
    ]
    .concat();
    let mut reader = Reader::new(&feed[..]);
    assert_eq!(
        reader.read().unwrap(),
        Some(Record::OrderDelete(&delete(1)))
    );
    let said: Vec<String> = (0..3)
        .map(|_| reader.read().unwrap_err().to_string())
        .collect();
    assert_eq!(
        said[0],
        "the record at byte 21 is of type 'A' and its side can't be 'b'"
    );
    assert!(said[1].starts_with("the record at byte 59 (9 bytes) has the unknown type 'z'"));
    assert_eq!(
        said[2],
        "the record at byte 70 is of type 'A' and has 20 bytes instead of 36"
    );
    assert_eq!(
        reader.read().unwrap(),
        Some(Record::OrderDelete(&delete(2)))
    );
    assert_eq!(reader.read().unwrap(), None);
    assert_eq!(reader.read().unwrap(), None);
}

#[test]
fn what_ends_too_early_or_too_late_is_final() {
    let feed = [frame(zero_copy::bytes_of(&delete(1))), vec![0, 0]].concat();
    assert!(matches!(read_all(&feed), (1, 0, None)));
    assert!(
        matches!(read_all(&feed[..21]), (1, 0, None)),
        "the mark may be missing"
    );
    for cut in (1..21).chain([22]) {
        let (records, errors, last) = read_all(&feed[..cut]);
        assert_eq!((records, errors), (cut / 21, 1), "cut after {cut} bytes");
        let needed = if cut % 21 < 2 { 2 } else { 21 };
        assert!(
            matches!(last, Some(ItchError::Truncated { offset, needed: n, found })
                if offset == (cut / 21 * 21) as u64 && n == needed && found == cut % 21),
            "{last:?}"
        );
    }
    let longer = [&feed[..], b"x"].concat();
    assert!(matches!(
        read_all(&longer),
        (1, 1, Some(ItchError::AfterEnd { offset: 23 }))
    ));
    assert!(matches!(
        Record::parse(b"", 5),
        Err(ItchError::Empty { offset: 5 })
    ));
}

#[test]
fn trouble_with_the_source_is_passed_on() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable is out"))
        }
    }
    let mut reader = Reader::new(Broken);
    let error = reader.read().unwrap_err();
    assert!(error.is_final());
    assert!(std::error::Error::source(&error).is_some());
    assert!(error.to_string().ends_with("the cable is out"));
    assert!(reader.read().unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 8 } else { 1024 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (records, errors, _) = read_all(&bytes);
        prop_assert!(records + errors <= bytes.len());
        let _ = Record::parse(&bytes, 0);
    }

    /// Damage to one byte of a good feed loses little: only a damaged length can take more
    /// than the one record.
    #[test]
    fn damage_stays_where_it_is(
        at in 0..210_usize, value: u8,
    ) {
        let one = frame(zero_copy::bytes_of(&delete(7)));
        let mut feed = one.repeat(10);
        feed[at] = value;
        let (records, errors, _) = read_all(&feed);
        if at % one.len() >= 2 {
            prop_assert_eq!(records + errors, 10);
            prop_assert!(errors <= 1);
        }
    }

    #[test]
    fn a_feed_reads_back_as_it_was_written(orders in prop::collection::vec(any::<u64>(), 0..50)) {
        let mut feed: Vec<u8> =
            orders.iter().flat_map(|&o| frame(zero_copy::bytes_of(&delete(o)))).collect();
        feed.extend([0, 0]);
        let mut reader = Reader::new(&feed[..]);
        for &order in &orders {
            let written = delete(order);
            prop_assert_eq!(reader.read().unwrap(), Some(Record::OrderDelete(&written)));
        }
        prop_assert_eq!(reader.read().unwrap(), None);
    }
}
