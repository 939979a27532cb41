//! The story of a rotation.
