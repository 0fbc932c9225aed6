//! Which files a process has mapped: `/proc/PID/maps`.
