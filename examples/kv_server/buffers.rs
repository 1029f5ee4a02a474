//! Buffers that connections borrow while they have something to do.
//!
//! Ten thousand connections that each own a buffer to read into cost a gigabyte, and nearly all of them are waiting at
//! any moment. So a connection owns none: it waits until there *is* something to read, borrows a buffer for as long as
//! it takes to read and execute, and gives it back before it waits again. What is in use are a few buffers per
//! processor, always the same ones, warm in the cache.

use pirn::sync::{Pool, PoolGuard};

/// How much is read at once.
const INPUT: usize = 64 * 1024;
/// A buffer of replies that has grown beyond this does not come back: one huge reply must not stay for ever.
const KEPT_OUTPUT: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Buffers {
    inputs: Pool<Box<[u8]>>,
    outputs: Pool<Vec<u8>>,
}

impl Buffers {
    pub(crate) fn new() -> Self {
        Self {
            inputs: Pool::new(|| vec![0; INPUT].into_boxed_slice()),
            outputs: Pool::new(|| Vec::with_capacity(KEPT_OUTPUT / 4)),
        }
    }

    /// A buffer to read into, with whatever was read the last time.
    pub(crate) fn input(&self) -> PoolGuard<'_, Box<[u8]>> {
        self.inputs.get()
    }

    /// An empty buffer for replies.
    pub(crate) fn output(&self) -> Output<'_> {
        Output(Some(self.outputs.get()))
    }
}

/// A borrowed buffer for replies, empty when it is lent.
#[derive(Debug)]
pub(crate) struct Output<'a>(Option<PoolGuard<'a, Vec<u8>>>);

impl std::ops::Deref for Output<'_> {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        self.0.as_ref().expect("it is lent until it is dropped")
    }
}

impl std::ops::DerefMut for Output<'_> {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        self.0.as_mut().expect("it is lent until it is dropped")
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        let Some(mut buffer) = self.0.take() else { return };
        if buffer.capacity() > KEPT_OUTPUT {
            drop(PoolGuard::into_inner(buffer));
        } else {
            buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffers, KEPT_OUTPUT};

    #[test]
    fn a_buffer_comes_back_empty_unless_it_has_grown_too_much() {
        let buffers = Buffers::new();
        buffers.output().extend_from_slice(b"something");
        assert_eq!(buffers.outputs.idle(), 1);
        let mut output = buffers.output();
        assert!(output.is_empty());
        output.resize(KEPT_OUTPUT + 1, 0);
        drop(output);
        assert_eq!(buffers.outputs.idle(), 0);
    }
}
