//! The programs that show `pirn` at work.
