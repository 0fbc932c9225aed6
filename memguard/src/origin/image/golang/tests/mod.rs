//! Tables of Go as they are and as they should not be.

mod oracle;

use super::*;
