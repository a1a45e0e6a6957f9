//! Positional CBOR: a struct travels as an array of its fields in order (DESIGN, section 9).
//!
//! `serde`'s derive would write field names. The two macros here write positions instead, and
//! skip elements they do not know, so that a later version may append fields.
//!
//! A format for people (JSON, as `serde` asks it) gets names and hexadecimal digits instead. Nothing
//! reads these back.

/// Defines a struct whose wire form is the CBOR array of its fields.
///
/// Decoding skips extra trailing elements and refuses a missing one, unless the field says what it
/// is without: `pub field: Type = default`, for fields that a later version has appended.
macro_rules! positional {
    (@missing $position:ident, $visitor:expr) => {
        return Err(serde::de::Error::invalid_length($position, &$visitor))
    };
    (@missing $position:ident, $visitor:expr, $default:expr) => { $default };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident : $ty:ty $(= $default:expr)?),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty),* }

        impl $name {
            /// The names of the fields, in the order in which they travel.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::{SerializeStruct, SerializeTuple};
                let count = $name::FIELDS.len();
                if serializer.is_human_readable() {
                    let mut named = serializer.serialize_struct(stringify!($name), count)?;
                    $(named.serialize_field(stringify!($field), &self.$field)?;)*
                    return named.end();
                }
                let mut tuple = serializer.serialize_tuple(count)?;
                $(tuple.serialize_element(&self.$field)?;)*
                tuple.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("the fields of ", stringify!($name), " as an array"))
                    }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                        let mut position = 0_usize;
                        $(
                            let $field: $ty = match seq.next_element()? {
                                Some(value) => value,
                                None => positional!(@missing position, self $(, $default)?),
                            };
                            position += 1;
                        )*
                        let _ = position;
                        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                        Ok($name { $($field),* })
                    }
                }
                deserializer.deserialize_seq(Fields)
            }
        }
    };
}

/// Defines a newtype of `N` bytes that travels as a CBOR byte string of exactly that length.
macro_rules! fixed_bytes {
    ($(#[$meta:meta])* pub struct $name:ident([u8; $len:expr]);) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::encoding::hex::serialize(&self.0, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Bytes;
                impl serde::de::Visitor<'_> for Bytes {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(f, "{} bytes", $len)
                    }
                    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        <[u8; $len]>::try_from(bytes)
                            .map($name)
                            .map_err(|_| E::invalid_length(bytes.len(), &self))
                    }
                }
                deserializer.deserialize_bytes(Bytes)
            }
        }
    };
}

pub(crate) use {fixed_bytes, positional};
