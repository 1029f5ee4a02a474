//! What the kernel tells a process about itself, and the quantiles of what it measured.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Resident memory, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("the kernel tells");
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    // SAFETY: asks for a constant of the system; no memory is involved.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * page_size as u64
}

/// Processor time that this process has used, of all its threads.
pub(crate) fn cpu_time() -> Duration {
    cpu_time_of(libc::RUSAGE_SELF)
}

/// Processor time of the processes that this one has started, and that have ended.
pub(crate) fn cpu_time_of_children() -> Duration {
    cpu_time_of(libc::RUSAGE_CHILDREN)
}

/// Processor time that the whole machine has spent, by whomever; zero where the kernel does not tell.
pub(crate) fn cpu_time_of_machine() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    // SAFETY: asks for a constant of the system; no memory is involved.
    let ticks_a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_secs_f64(busy_ticks(&text) as f64 / ticks_a_second as f64)
}

/// The first line of `/proc/stat`: user, nice, system, idle, waiting for disks, interrupts (two), stolen.
fn busy_ticks(stat: &str) -> u64 {
    const IDLE: [usize; 2] = [3, 4];
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    let busy = fields.enumerate().filter(|(place, _)| !IDLE.contains(place));
    busy.filter_map(|(_, ticks)| ticks.parse::<u64>().ok()).sum()
}

fn cpu_time_of(whom: libc::c_int) -> Duration {
    // SAFETY: `rusage` is plain numbers, for which zeros are valid, and outlives the call that fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(whom, &mut usage), 0);
        usage
    };
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Durations as they were measured.
///
/// A plain list, because a histogram for each of a thousand connections would fill the caches that the row is about.
#[derive(Default)]
pub(crate) struct Durations(Vec<Duration>);

impl Durations {
    /// Adds one.
    pub(crate) fn record(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Adds all of another's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Their quantiles in microseconds, to three digits.
    pub(crate) fn quantiles_us<const N: usize>(&self, quantiles: [f64; N]) -> [f64; N] {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits are supported");
        for duration in &self.0 {
            histogram.record(duration.as_nanos() as u64).expect("the histogram grows as needed");
        }
        quantiles.map(|quantile| histogram.value_at_quantile(quantile) as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let (mut durations, mut others) = (Durations::default(), Durations::default());
        (1..=50).for_each(|us| durations.record(Duration::from_micros(us)));
        (51..=100).for_each(|us| others.record(Duration::from_micros(us)));
        durations.add(&others);
        assert_eq!(durations.count(), 100);
        let found = durations.quantiles_us([0.5, 0.99, 1.0]);
        assert!(
            found.iter().zip([50.0, 99.0, 100.0]).all(|(found, expected)| (found - expected).abs() < 0.1)
        );
    }

    #[test]
    fn the_machine_is_busy_with_all_but_idling_and_waiting() {
        let stat = "cpu  100 20 30 4000 500 6 7 8 9000 9000\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy_ticks(stat), 100 + 20 + 30 + 6 + 7 + 8);
        assert_eq!(busy_ticks(""), 0);
    }

    #[test]
    fn work_uses_processor_time_and_memory() {
        let (cpu, memory) = (cpu_time(), resident_bytes());
        let mut block = vec![1_u8; 64 << 20];
        while cpu_time() == cpu {
            block.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3));
        }
        assert!(resident_bytes() > memory + (32 << 20), "{}", block[7]);
    }
}
