use super::*;
use crate::clock::Clock;
use crate::http::connection::head_memory::HEAD_BYTES;
use crate::http::connection::table::Slot;
use crate::http::memory::{BodyMemory, Client, SharedMemory};
use crate::http::proxies::PeerTrust;
use crate::http::response_cache::ResponseCache;
use crate::store::Store;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const PUT: &[u8] = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS: &[u8] =
    b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

struct Server {
    store: Store,
    fast_path: FastPath,
    heads: SharedMemory,
    slot: Slot,
    _dir: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let (cache, store, dir) = ResponseCache::of_empty_store().await;
        Self {
            fast_path: FastPath::new(&cache, &Clock::default(), PeerTrust::Untrusted, None),
            store,
            heads: BodyMemory::default().unverified,
            slot: Slot::take(64),
            _dir: dir,
        }
    }

    async fn connect(&self) -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let client = client.unwrap();
        client.set_nodelay(true).unwrap();
        let transport = Transport::Plain(accepted.unwrap().0);
        let state = Rc::clone(self.slot.state());
        let heads = HeadMemory {
            memory: self.heads.clone(),
            client: Client::of_peer(None),
        };
        let stream = Stream::new(transport, state, self.fast_path.clone(), heads);
        (client, stream)
    }
}

/// Reads a request, and sees that nothing follows it.
async fn read(stream: &mut Stream, length: usize) -> Vec<u8> {
    let mut request = vec![0; length];
    stream.read_exact(&mut request).await.unwrap();
    assert!(stream.read(&mut [0; 64]).now_or_never().is_none());
    request
}

async fn answer(stream: &mut Stream, head: &str) {
    drop(stream.state().begin_request());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

#[tokio::test]
async fn a_request_is_forwarded_alone_and_the_next_after_its_answer_wherever_they_are_cut() {
    let server = Server::start().await;
    let requests = [GET, CHUNKS, PUT, GET];
    let whole = requests.concat();
    for cut in 1..whole.len() {
        let (mut client, mut stream) = server.connect().await;
        client.write_all(&whole[..cut]).await.unwrap();
        // The first part is parsed before the rest arrives.
        let mut first = vec![0; requests[0].len()];
        let seen = stream.read(&mut first).now_or_never();
        client.write_all(&whole[cut..]).await.unwrap();
        match seen {
            Some(read) => assert_eq!(read.unwrap(), first.len(), "cut at {cut}"),
            None => first = read(&mut stream, first.len()).await,
        }
        assert_eq!(first, requests[0], "cut at {cut}");
        answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        for request in &requests[1..] {
            assert_eq!(
                &read(&mut stream, request.len()).await,
                request,
                "cut at {cut}"
            );
            answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    }
    server.store.close().await;
}

/// The beginning of a head whose end does not arrive.
fn long_head() -> Vec<u8> {
    let field = format!("X: {}\r\n", "x".repeat(100));
    [&GET[..GET.len() - 2], field.repeat(50).as_bytes()].concat()
}

#[tokio::test]
async fn long_heads_that_do_not_end_take_no_more_memory_than_is_counted() {
    const HEADS_OF_ONE_CLIENT: usize = (4 << 20) / (HEAD_BYTES + 4096);
    let server = Server::start().await;
    let mut begun = Vec::new();
    for _ in 0..HEADS_OF_ONE_CLIENT + 50 {
        let (mut client, mut stream) = server.connect().await;
        client.write_all(&long_head()).await.unwrap();
        while stream.long_head.is_none() && stream.forward == ForwardState::Idle {
            assert!(
                stream
                    .read(&mut [0; 64])
                    .now_or_never()
                    .is_none_or(|read| read.is_ok())
            );
            tokio::task::yield_now().await;
        }
        begun.push((client, stream));
    }
    let mut waiting = Vec::new();
    for (mut client, mut stream) in begun {
        match stream.read(&mut [0; 64]).now_or_never() {
            None => waiting.push((client, stream)),
            Some(read) => {
                assert_eq!(read.unwrap(), 0);
                drop(stream);
                let mut answer = Vec::new();
                client.read_to_end(&mut answer).await.unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 503 "));
            }
        }
    }
    assert_eq!(waiting.len(), HEADS_OF_ONE_CLIENT);
    // A connection that closes makes room for another.
    let (mut client, mut stream) = waiting.pop().unwrap();
    client.write_all(b"\r\n").await.unwrap();
    let whole = [&long_head()[..], b"\r\n"].concat();
    assert_eq!(read(&mut stream, whole.len()).await, whole);
    let (mut client, mut stream) = server.connect().await;
    client.write_all(&whole).await.unwrap();
    assert_eq!(read(&mut stream, whole.len()).await, whole);
    server.store.close().await;
}

#[tokio::test]
async fn nothing_is_read_as_a_request_after_an_answer_that_closes() {
    let server = Server::start().await;
    let upgrade = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n".as_slice();
    for (request, head) in [
        (GET, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"),
        (GET, "HTTP/1.0 200 OK\r\n\r\n"),
    ] {
        let (mut client, mut stream) = server.connect().await;
        client.write_all(&[request, GET].concat()).await.unwrap();
        assert_eq!(read(&mut stream, request.len()).await, request);
        answer(&mut stream, head).await;
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
    }
    let (mut client, mut stream) = server.connect().await;
    client.write_all(upgrade).await.unwrap();
    assert_eq!(read(&mut stream, upgrade.len()).await, upgrade);
    answer(&mut stream, "HTTP/1.1 200 OK\r\n\r\n").await;
    client.write_all(GET).await.unwrap();
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
    server.store.close().await;
}
