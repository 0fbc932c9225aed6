//! The list that just-in-time compilers write of the code they made: `/tmp/perf-PID.map`.

use std::{
    fs::File,
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::Path,
};

use super::{Found, regular::open_in};
use crate::origin::symbolize::wire::Process;

/// The list, if nobody else can have written it.
pub(super) fn find(process: &Process) -> Result<Found, String> {
    let file = open(process).map_err(|error| format!("no list of generated code: {error}"))?;
    Ok(Found {
        file,
        debug: None,
        build_id: None,
    })
}

fn open(process: &Process) -> io::Result<File> {
    let number = process.own_number().filter(|_| process.is_alive());
    let number = number.ok_or(io::ErrorKind::NotFound)?;
    let path = format!("/tmp/perf-{number}.map");
    let file = open_in(process.root()?.as_fd(), Path::new(&path))?;
    let owner = process.folder().metadata()?.uid();
    let metadata = file.metadata()?;
    if metadata.uid() == owner && process.may_have_written(&metadata) {
        return Ok(file);
    }
    Err(io::Error::other("it is another process's"))
}
