//! Plain data: values that are no more and no less than their bytes.

use core::mem::MaybeUninit;

use bytemuck::{AnyBitPattern, CheckedBitPattern, NoUninit};

use crate::message::{DecodeError, Shape};

/// A type whose values can be sent as their bytes, and whose bits can be checked on receipt.
///
/// [`derive(Plain)`](derive@crate::Plain) gives it to structs without padding and to enums without fields,
/// `#[message(codec = zero_copy)]` to messages, and every type with bytemuck's `NoUninit` and
/// `CheckedBitPattern` has it: numbers, `bool`, `char`, and types of other crates that support bytemuck.
///
/// # Safety
///
/// * Every byte of a value is initialised: there is no padding, and no field that may be uninitialised.
/// * [`is_valid`](Self::is_valid) returns true only for the bits of a value.
/// * A value holds no pointer or reference, and nothing that can be changed through a shared reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data, so it can't be in a zero-copy message",
    label = "not plain data",
    note = "plain are numbers, `bool`, `char`, types with `#[derive(Plain)]`, and fields that are arrays of these; \
            for strings, vectors and references choose a serialized codec, or a tail `&[T]`"
)]
pub unsafe trait Plain: Sized + 'static {
    /// What it is made of, if that is known: the derives say it.
    const SHAPE: Option<&'static Shape> = None;

    /// The fingerprint of the layout, 0 if it is unknown.
    const LAYOUT: u64 = match Self::SHAPE {
        Some(shape) => shape.fingerprint(),
        None => 0,
    };

    /// Whether the bits are a value of this type.
    fn is_valid(bits: &Bits<Self>) -> bool;
}

// SAFETY: `NoUninit` promises initialised bytes and, being `Copy`, nothing that changes behind a shared reference;
// `CheckedBitPattern` promises that what it lets through is a value. Neither allows pointers.
#[diagnostic::do_not_recommend]
unsafe impl<T: CheckedBitPattern + NoUninit> Plain for T {
    #[inline]
    fn is_valid(bits: &Bits<Self>) -> bool {
        // SAFETY: `T::Bits` has the layout of `T` (`CheckedBitPattern`) and takes any initialised bytes
        // (`AnyBitPattern`), which those behind a `Bits` are.
        T::is_valid_bit_pattern(unsafe { &*core::ptr::from_ref(bits).cast() })
    }
}

/// Bits with the size and the address of a `T`, all of them initialised, which may not be a value of it.
///
/// There are only references to it, into a payload.
#[repr(transparent)]
pub struct Bits<T>(MaybeUninit<T>);

impl<T> Bits<T> {
    /// `bytes` as the bits of a `T`.
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Result<&Self, DecodeError> {
        if bytes.len() != size_of::<T>() {
            return Err(DecodeError::WrongSize {
                len: bytes.len(),
                expected: size_of::<T>(),
            });
        }
        let bits: *const Self = bytes.as_ptr().cast();
        if !bits.is_aligned() {
            return Err(DecodeError::Misaligned {
                align: align_of::<T>(),
            });
        }
        // SAFETY: the slice has as many bytes and stands at such an address; they are initialised and borrowed
        // for as long, and a `MaybeUninit` takes any.
        Ok(unsafe { &*bits })
    }

    /// Whether the `size` bytes at `offset` are valid `F`s, one after the other.
    ///
    /// # Panics
    ///
    /// If there can be no such field: derives pass constants, so that this is decided by the compiler.
    #[inline]
    #[must_use]
    pub fn are<F: Plain>(&self, offset: usize, size: usize) -> bool {
        assert!(offset % align_of::<F>() == 0 && align_of::<F>() <= align_of::<T>());
        assert!(offset <= size_of::<T>() && size <= size_of::<T>() - offset);
        let count = size.checked_div(size_of::<F>()).unwrap_or(0);
        let first: *const Bits<F> = core::ptr::from_ref(self).wrapping_byte_add(offset).cast();
        // SAFETY: the items lie within `self` and are aligned, by the assertions; their bytes are initialised as
        // all behind a `Bits` are.
        (0..count).all(|i| F::is_valid(unsafe { &*first.wrapping_add(i) }))
    }

    /// The bits as an integer of their size.
    ///
    /// # Panics
    ///
    /// If `N` has another size or needs another alignment: derives pass the integer that an enum is made of.
    #[inline]
    #[must_use]
    pub fn number<N: AnyBitPattern>(&self) -> N {
        assert!(size_of::<N>() == size_of::<T>() && align_of::<N>() <= align_of::<T>());
        // SAFETY: the size and the alignment fit, and an `N` takes any initialised bytes.
        unsafe { *core::ptr::from_ref(self).cast() }
    }

    /// The value, if the bits are one.
    #[inline]
    pub(super) fn value(&self) -> Result<&T, DecodeError>
    where
        T: Plain,
    {
        if T::is_valid(self) {
            // SAFETY: `Plain` promises that these bits are a value.
            Ok(unsafe { self.0.assume_init_ref() })
        } else {
            Err(invalid::<T>())
        }
    }
}

#[cold]
fn invalid<T>() -> DecodeError {
    DecodeError::InvalidBits {
        what: core::any::type_name::<T>(),
    }
}

/// The bytes of a value.
///
/// ```
/// assert_eq!(messenger::message::zero_copy::bytes_of(&0x01_00_00_01_u32), [1, 0, 0, 1]);
/// ```
#[inline]
#[must_use]
pub fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    bytes_of_all(core::slice::from_ref(value))
}

/// The bytes of values.
#[inline]
pub(super) fn bytes_of_all<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: the slice has that many bytes, and `Plain` promises that all of them are initialised and that
    // nobody changes them while they are borrowed.
    unsafe { core::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The value that bytes are, to be changed in place.
#[inline]
pub(super) fn value_mut<T: Plain>(bytes: &mut [u8]) -> Result<&mut T, DecodeError> {
    Bits::<T>::of(bytes)?.value()?;
    // SAFETY: the bytes are a `T`, by the line above, and borrowed mutably. Whatever `T` is put there, its bytes
    // are initialised again (`Plain`), as those of a `[u8]` have to be.
    Ok(unsafe { &mut *bytes.as_mut_ptr().cast() })
}

/// The values that bytes are, to be changed in place. Their length is a multiple of the size of a `T`, which isn't 0.
#[inline]
pub(super) fn values_mut<T: Plain>(bytes: &mut [u8]) -> Result<&mut [T], DecodeError> {
    let count = values::<T>(bytes)?.len();
    // SAFETY: the bytes are `count` times a `T`, by the line above, and borrowed mutably. Whatever is put there, its bytes
    // are initialised again (`Plain`), as those of a `[u8]` have to be.
    Ok(unsafe { core::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), count) })
}

/// The values that bytes are. Their length is a multiple of the size of a `T`, which isn't 0.
#[inline]
pub(super) fn values<T: Plain>(bytes: &[u8]) -> Result<&[T], DecodeError> {
    let first: *const Bits<T> = bytes.as_ptr().cast();
    if !first.is_aligned() {
        return Err(DecodeError::Misaligned {
            align: align_of::<T>(),
        });
    }
    let count = bytes.len() / size_of::<T>();
    // SAFETY: the slice has at least the bytes of `count` items and stands at such an address; they are initialised and borrowed
    // for as long.
    let all: &[Bits<T>] = unsafe { core::slice::from_raw_parts(first, count) };
    if all.iter().all(T::is_valid) {
        // SAFETY: `Plain` promises that each of them is a value.
        Ok(unsafe { core::slice::from_raw_parts(first.cast(), count) })
    } else {
        Err(invalid::<T>())
    }
}
