//! `messenger_id_enum!`: numbers to names and back.

#![forbid(unsafe_code)]

use messenger::messenger_id_enum;

messenger_id_enum! {
    /// More ids than an error shows.
    enum Many { A = 1, B, C, D, E, F, G, H, I, J = 0xffff }

    /// A second enum in one call.
    enum One { Only }
}

#[test]
fn ids_convert_both_ways() {
    for (at, id) in Many::ALL.iter().enumerate() {
        assert_eq!(Many::from_u16(id.as_u16()), Some(*id));
        assert_eq!(Many::try_from(u16::from(*id)), Ok(*id));
        assert_eq!(id.to_string(), id.name());
        assert!(Many::ALL[..at].iter().all(|before| before < id));
    }
    assert_eq!(One::from_u16(0), Some(One::Only));
    assert_eq!(Many::J.as_u16(), u16::MAX);
}

#[test]
fn an_error_shows_some_ids_and_counts_the_rest() {
    let error = Many::try_from(0).unwrap_err();
    assert_eq!((error.id, error.known.len()), (0, 10));
    assert_eq!(
        error.to_string(),
        "0 is no Many; the ids of Many are A = 1, B = 2, C = 3, D = 4, E = 5, F = 6, G = 7, H = 8 and 2 more"
    );
}
