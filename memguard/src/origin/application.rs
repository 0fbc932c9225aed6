//! Which frames of a stack are the program's own.
