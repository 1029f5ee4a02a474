//! CSP channels and `select!` for tasks of any executor and for plain threads.
