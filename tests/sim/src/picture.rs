//! The comparison as a picture.
