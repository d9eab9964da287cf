//! The index: at both addresses, behind any prefix, with links that lead somewhere.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::client::get;
use crate::server;

async fn ask(app: &Router, method: Method, path: &str) -> (StatusCode, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Every link of the page, resolved as a browser does against the address of the page.
fn links(page: &str, address: &str) -> Vec<String> {
    let directory = &address[..=address.rfind('/').unwrap()];
    page.split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .map(|href| {
            let below = href.strip_prefix("./").expect("a relative link");
            format!("{directory}{below}")
        })
        .collect()
}

#[tokio::test]
async fn links_lead_somewhere_behind_any_prefix_with_and_without_a_slash() {
    #[derive(Clone)]
    struct State;

    for prefix in ["/debug/profile", "/p", "/a/b/c", "/odd:name"] {
        // State of the outer application, and a router within a router.
        let nested: Router = Router::<State>::new()
            .nest(prefix, taskprof::router())
            .with_state(State);
        let twice: Router = Router::new().nest("/outer", nested.clone());
        let service: Router = Router::new().nest_service(prefix, taskprof::router::<()>());
        for (app, address) in [
            (&nested, prefix.to_owned()),
            (&twice, format!("/outer{prefix}")),
            (&service, prefix.to_owned()),
            (&service, format!("{prefix}/")),
        ] {
            let (status, page) = ask(app, Method::GET, &address).await;
            assert_eq!(status, StatusCode::OK, "{address}");
            let links = links(&page, &address);
            assert!(links.len() >= 4, "{links:?}");
            for link in links {
                // HEAD checks the parameters and captures nothing.
                let (status, text) = ask(app, Method::HEAD, &link).await;
                assert_eq!(status, StatusCode::OK, "{address} -> {link}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn at_the_root_of_an_application_links_work_too() {
    let app: Router = taskprof::router();
    let (status, page) = ask(&app, Method::GET, "/").await;
    assert_eq!(status, StatusCode::OK);
    for link in links(&page, "/") {
        let (status, _) = ask(&app, Method::HEAD, &link).await;
        assert_eq!(status, StatusCode::OK, "{link}");
    }
}

// A property of axum that the documentation of `router()` warns of; when this fails, the warning can go.
#[tokio::test]
async fn nest_does_not_match_a_slash_at_the_end() {
    let app: Router = Router::new().nest("/debug/profile", taskprof::router());
    let (status, _) = ask(&app, Method::GET, "/debug/profile/").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_prefix_with_markup_in_it_stays_text() {
    let app: Router = Router::new().nest("/of/{tenant}", taskprof::router());
    let (status, page) = ask(&app, Method::GET, "/of/%22%3E%3Cscript%3E'&").await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("<script"), "{page}");
    assert!(
        page.contains("./%22%3E%3Cscript%3E&#39;&amp;/cpu"),
        "{page}"
    );
}

#[test]
fn the_index_lists_the_endpoint_with_its_parameters() {
    let server = server();
    for path in ["/debug/profile", "/debug/profile/"] {
        let answer = get(server.local_addr(), path);
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let page = answer.text();
        for part in [
            "<code>seconds</code>",
            "<code>format</code>",
            "seconds=5&amp;format=svg",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
