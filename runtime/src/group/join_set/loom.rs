//! A model of G4: waiting for a hint against leaving one. Whoever comes second sees the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Cx, Wake, Waker};

use loom::thread;

use super::Hints;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_hint_is_found_or_wakes() {
    loom::model(|| {
        let (hints, count) = (Arc::new(Hints::default()), Arc::new(Count::default()));
        let other = Arc::clone(&hints);
        let leaver = thread::spawn(move || other.leave(7));
        let found = hints.take();
        if found.is_none() {
            hints.wait(&Cx::from_waker(&Waker::from(Arc::clone(&count))));
        }
        leaver.join().unwrap();
        let woken = count.0.load(Ordering::Relaxed) == 1;
        assert!(found.is_some() || (woken && hints.take() == Some(7)));
    });
}
