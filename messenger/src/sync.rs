//! The one switch between the primitives of std and of loom.
