//! One request and its answer over a connection of its own: to Larder as a client, to the driver of the browser.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Asks; `head` is what stands between the request's line and its body, a line each.
pub(crate) fn ask(
    address: &str,
    line: &str,
    head: &[&str],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut request = Vec::new();
    write!(
        request,
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n"
    )?;
    for field in head {
        write!(request, "{field}\r\n")?;
    }
    write!(request, "content-length: {}\r\n\r\n", body.len())?;
    request.extend_from_slice(body);
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&request)?;
    answer(BufReader::new(stream))
}

fn answer(mut stream: BufReader<TcpStream>) -> std::io::Result<Answer> {
    let (mut status, mut length, mut line) = (0, None, String::new());
    while stream.read_line(&mut line)? > 2 {
        let text = line.trim_end().to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix("http/1.1 ") {
            status = rest
                .chars()
                .take(3)
                .collect::<String>()
                .parse()
                .unwrap_or(0);
        }
        if let Some(rest) = text.strip_prefix("content-length:") {
            length = rest.trim().parse().ok();
        }
        line.clear();
    }
    let mut body = Vec::new();
    match length {
        Some(length) => stream.take(length).read_to_end(&mut body)?,
        None => stream.read_to_end(&mut body)?,
    };
    Ok(Answer { status, body })
}
