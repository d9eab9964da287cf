//! h2.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Ping, client, server};
use http::{Request, Response};
use tokio::io::{DuplexStream, duplex};

use crate::row::rows;

type Sender = client::SendRequest<Bytes>;
type Server = server::Connection<DuplexStream, Bytes>;

/// Both ends of a connection in memory; a task drives the client's end.
async fn connected() -> (Sender, Server) {
    let (one, other) = duplex(1 << 16);
    let (client, server) = tokio::join!(client::handshake(one), server::handshake(other));
    let (sender, connection) = client.unwrap();
    drop(tokio::spawn(connection));
    (sender, server.unwrap())
}

/// A server that sends heads of responses, and whose bodies do not come.
fn answers(mut server: Server) {
    drop(tokio::spawn(async move {
        let mut open = Vec::new();
        while let Some(Ok((request, mut response))) = server.accept().await {
            open.push((request, response.send_response(Response::new(()), false)));
        }
    }));
}

rows! {
    waiting_for_a_response: "h2 response" = {
        let (mut sender, server) = connected().await;
        let (response, _) = sender.send_request(Request::new(()), true).unwrap();
        ((sender, server), response)
    };
    waiting_for_data: "h2 body" = {
        let (mut sender, server) = connected().await;
        answers(server);
        (sender.clone(), async move {
            let (response, _) = sender.send_request(Request::new(()), true).unwrap();
            response.await.unwrap().into_body().data().await;
        })
    };
    waiting_for_room_to_send_data: "h2 capacity" = {
        let (mut sender, server) = connected().await;
        answers(server);
        let (response, mut body) = sender.send_request(Request::new(()), false).unwrap();
        body.send_data(vec![0; 65_535].into(), false).unwrap();
        body.reserve_capacity(1);
        ((sender, response), async move {
            while poll_fn(|cx| body.poll_capacity(cx)).await.is_some() {}
        })
    };
    waiting_for_a_reset: "h2 reset" = {
        let (mut sender, server) = connected().await;
        let (response, mut body) = sender.send_request(Request::new(()), false).unwrap();
        ((sender, server, response), async move { let _ = poll_fn(|cx| body.poll_reset(cx)).await; })
    };
    waiting_for_a_reset_by_the_client: "h2 reset" = {
        let (mut sender, mut server) = connected().await;
        let request = sender.send_request(Request::new(()), false).unwrap();
        let (_, mut response) = server.accept().await.unwrap().unwrap();
        ((sender, server, request), async move { let _ = poll_fn(|cx| response.poll_reset(cx)).await; })
    };
    waiting_for_one_more_stream: "h2 ready" = {
        let (one, other) = duplex(1 << 16);
        let mut limited = client::Builder::new();
        limited.initial_max_send_streams(0);
        let (client, server) = tokio::join!(limited.handshake::<_, Bytes>(one), server::handshake::<_>(other));
        let (mut sender, connection) = client.unwrap();
        let first = sender.send_request(Request::new(()), false).unwrap();
        ((first, connection, server), async move { let _ = sender.ready().await; })
    };
    accepting_a_stream: "h2 frame | h2 send queue" = {
        let (sender, mut server) = connected().await;
        (sender, async move { let _ = server.accept().await; })
    };
    driving_a_connection: "h2 frame | h2 send queue" = {
        let (one, other) = duplex(1 << 16);
        let (client, server) = tokio::join!(client::handshake(one), server::handshake::<_>(other));
        let (sender, connection) = client.unwrap();
        ((sender, server), connection)
    };
    waiting_for_the_preface: "h2 handshake" = {
        let (one, other) = duplex(1 << 16);
        (other, async move { let _ = server::handshake(one).await; })
    };
    waiting_for_a_pong: "h2 pong" = {
        let (one, other) = duplex(1 << 16);
        let (client, server) = tokio::join!(client::handshake(one), server::handshake::<_>(other));
        let (sender, mut connection) = client.unwrap();
        let mut pings = connection.ping_pong().unwrap();
        drop(tokio::spawn(connection));
        ((sender, server), async move { let _ = pings.ping(Ping::opaque()).await; })
    };
}
