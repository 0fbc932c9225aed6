//! A call in a recording: its number.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

use crate::model::resource::Call;

/// Writes the number.
pub fn serialize<S: Serializer>(call: &Call, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(*call as u32)
}

/// Reads it; an error where no call has it.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Call, D::Error> {
    let number = u32::deserialize(deserializer)?;
    let call = Call::try_from(number);
    call.map_err(|number| D::Error::custom(format!("no call has the number {number}")))
}
