//! Messages and their codecs.
