//! Sockets in numbers: a thousand connections, a quarter of a gigabyte, ten thousand rounds, and numbers that
//! are closed and used again.

#[path = "net/support.rs"]
mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pirn::io::{AsyncReadExt, AsyncWriteExt};
use pirn::net::{TcpListener, TcpStream, UnixStream};
use support::{run, within_a_minute};

/// Accepts for ever; each connection echoes until its end.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        pirn::spawn(async move {
            let mut buf = [0; 1024];
            loop {
                let count = stream.read(&mut buf).await?;
                if count == 0 {
                    return io::Result::Ok(());
                }
                (&stream).write_all(&buf[..count]).await?;
            }
        });
    }
}

#[test]
fn a_thousand_connections_echo() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = pirn::spawn(serve(listener));
        let clients: Vec<_> = (0..1_000_u32)
            .map(|number| {
                pirn::spawn(async move {
                    let mut stream = TcpStream::connect(address).await?;
                    for round in 0..10_u32 {
                        let message = [number.to_le_bytes(), round.to_le_bytes()].concat();
                        let mut answer = [0; 8];
                        stream.write_all(&message).await?;
                        stream.read_exact(&mut answer).await?;
                        assert_eq!(answer[..], message[..], "another connection's bytes");
                    }
                    io::Result::Ok(())
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap()?;
        }
        server.abort();
        Ok(())
    });
}

/// Fowler, Noll and Vo's hash, which depends on the order of the bytes.
fn checksum(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn a_quarter_of_a_gigabyte_goes_through_one_connection() {
    const TOTAL: usize = 256 << 20;
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let sender = pirn::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            // A chunk of a length that is no power of two, so that the pieces never line up.
            let mut chunk: Vec<u8> = (0..100_003_u32).map(|number| (number % 253) as u8).collect();
            let (mut sent, mut sum) = (0, 0);
            while sent < TOTAL {
                let length = chunk.len().min(TOTAL - sent);
                stream.write_all(&chunk[..length]).await?;
                sum = checksum(sum, &chunk[..length]);
                sent += length;
                chunk[0] = chunk[0].wrapping_add(1);
            }
            io::Result::Ok(sum)
        });
        let (stream, _) = listener.accept().await?;
        let (mut received, mut sum) = (0, 0);
        let mut buf = vec![0; 64 * 1024];
        loop {
            let count = stream.read(&mut buf).await?;
            if count == 0 {
                break;
            }
            sum = checksum(sum, &buf[..count]);
            received += count;
        }
        assert_eq!((received, sum), (TOTAL, sender.await.unwrap()?));
        Ok(())
    });
}

#[test]
fn nothing_is_left_after_ten_thousand_rounds() {
    within_a_minute(|| {
        let runtime = pirn::Builder::new().procs(2).build().unwrap();
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = pirn::spawn(serve(listener));
            let open_before = open_descriptors();
            let clients: Vec<_> = (0..20)
                .map(|_| {
                    pirn::spawn(async move {
                        for _ in 0..500 {
                            let stream = TcpStream::connect(address).await?;
                            stream.set_read_deadline(Some(Instant::now() + Duration::from_secs(50)));
                            // Reset instead of a handshake of ends: ten thousand ports in TIME_WAIT would
                            // disturb whoever tests next.
                            stream.set_linger(Some(Duration::ZERO))?;
                            stream.write(b"x").await?;
                            assert_eq!(stream.read(&mut [0; 1]).await?, 1);
                        }
                        io::Result::Ok(())
                    })
                })
                .collect();
            for client in clients {
                client.await.unwrap().unwrap();
            }
            // The last connections' tasks hear of the end on their own.
            loop {
                let metrics = handle.metrics();
                if metrics.live_tasks == 1 && metrics.descriptors == 1 && metrics.timers == 0 {
                    break;
                }
                pirn::yield_now().await;
            }
            assert!(open_descriptors() <= open_before, "every descriptor is closed");
            server.abort();
            assert!(server.await.is_err());
        });
        assert_eq!(handle.metrics().descriptors, 0);
    });
}

fn open_descriptors() -> usize {
    // What other tests of this file hold at the same time is among them; it shrinks as they end.
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_storm_of_closed_and_reused_numbers_wakes_nobody_by_mistake() {
    run(async {
        let rounds = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..8_u64)
            .map(|task| {
                let rounds = Arc::clone(&rounds);
                pirn::spawn(async move {
                    for round in 0..2_000_u64 {
                        let (a, b) = UnixStream::pair()?;
                        let message = task << 32 | round;
                        b.write(&message.to_le_bytes()).await?;
                        if round % 3 == 0 {
                            // Closed with an event under way; its number goes to somebody else at once.
                            continue;
                        }
                        let mut answer = [0; 8];
                        assert_eq!(a.read(&mut answer).await?, 8);
                        assert_eq!(u64::from_le_bytes(answer), message);
                        // Nothing more comes: a readiness that belongs to another would be cleared, and the
                        // read goes on to wait for the end.
                        let end = pirn::spawn(async move { a.read(&mut [0; 8]).await });
                        pirn::yield_now().await;
                        drop(b);
                        assert_eq!(end.await.unwrap()?, 0);
                        rounds.fetch_add(1, Ordering::Relaxed);
                    }
                    io::Result::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap()?;
        }
        assert_eq!(rounds.load(Ordering::Relaxed), 8 * (2_000 - 667));
        Ok(())
    });
}
