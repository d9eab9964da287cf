//! Answers of the routes, which are the same in both modes, and what they leave behind, which is
//! not.

mod support;

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use orders::Mode;
use serde_json::Value;

use crate::support::{Shop, parse, text};

const BOTH: [Mode; 2] = [Mode::Leaky, Mode::Fixed];

#[tokio::test]
async fn an_order_that_was_placed_can_be_fetched_by_its_id() {
    for mode in BOTH {
        let shop = Shop::open(mode).await;
        let order = r#"{"customer":"Ada","lines":[{"sku":"teapot","quantity":10}]}"#;
        let placed = shop.client.post("/orders", order).await.unwrap();
        assert_eq!(placed.status(), StatusCode::CREATED);
        let path = placed.headers()[LOCATION].to_str().unwrap();

        let fetched = shop.client.get(path).await.unwrap();
        assert_eq!(fetched.status(), StatusCode::OK);
        assert_eq!(parse(&fetched), parse(&placed));
        assert_eq!(parse(&fetched)["customer"], "Ada");
        assert_eq!(parse(&fetched)["total_cents"], 8_550);
        shop.close().await;
    }
}

#[tokio::test]
async fn orders_are_numbered_one_after_the_other() {
    let shop = Shop::open(Mode::Fixed).await;
    assert_eq!(shop.place_order().await, 1);
    assert_eq!(shop.place_order().await, 2);
    assert_eq!(shop.show_order(1).await["id"], 1);
    shop.close().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    for mode in BOTH {
        let shop = Shop::open(mode).await;
        let answer = shop.client.get("/orders/17").await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(text(&answer), "there is no order 17\n");
        let answer = shop.client.get("/order").await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        shop.close().await;
    }
}

#[tokio::test]
async fn bad_input_is_refused_with_a_sentence() {
    let refused = StatusCode::UNPROCESSABLE_ENTITY;
    let line = r#"{"sku":"teapot","quantity":1},"#;
    let too_long = format!(
        r#"{{"customer":"Ada","lines":[{}]}}"#,
        line.repeat(101).trim_end_matches(',')
    );
    let cases = [
        (
            "{",
            StatusCode::BAD_REQUEST,
            "Failed to parse the request body as JSON",
        ),
        (r#"{"customer":7}"#, refused, "customer: invalid type"),
        (
            r#"{"customer":"Ada","lines":[],"coupon":"x"}"#,
            refused,
            "unknown field `coupon`",
        ),
        (
            r#"{"customer":"Ada","lines":[]}"#,
            refused,
            "lines must be 1 to 100 articles, not 0",
        ),
        (
            &too_long,
            refused,
            "lines must be 1 to 100 articles, not 101",
        ),
        (
            r#"{"customer":" ","lines":[{"sku":"teapot","quantity":1}]}"#,
            refused,
            "customer must not be empty",
        ),
        (
            r#"{"customer":"Ada","lines":[{"sku":"teapot","quantity":0}]}"#,
            refused,
            "quantity of \"teapot\" must be at least 1",
        ),
        (
            r#"{"customer":"Ada","lines":[{"sku":"moon","quantity":1}]}"#,
            refused,
            "there is no article \"moon\"",
        ),
    ];
    for mode in BOTH {
        let shop = Shop::open(mode).await;
        for (order, status, sentence) in cases {
            let answer = shop.client.post("/orders", order.to_owned()).await.unwrap();
            assert_eq!(answer.status(), status, "{order}");
            assert!(
                text(&answer).contains(sentence),
                "{order}: {}",
                text(&answer)
            );
        }
        let answer = shop.client.get("/orders/seventeen").await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let answer = shop.client.post("/orders/1", "{}").await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(health(&shop).await["orders"], 0);
        shop.close().await;
    }
}

async fn health(shop: &Shop) -> Value {
    let answer = shop.client.get("/healthz").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    parse(&answer)
}

#[tokio::test]
async fn the_leaky_shop_says_that_all_is_well_while_promises_pile_up() {
    let shop = Shop::open(Mode::Leaky).await;
    let id = shop.place_order().await;
    for _ in 0..3 {
        shop.show_order(id).await;
    }
    let health = health(&shop).await;
    assert_eq!(health["status"], "ok");
    assert_eq!(health["mode"], "leaky");
    assert_eq!(health["orders"], 1);
    assert_eq!(health["prices_held"], 3);
    shop.close().await;
}

#[tokio::test]
async fn the_fixed_shop_takes_its_promises_back() {
    let shop = Shop::open(Mode::Fixed).await;
    let id = shop.place_order().await;
    for _ in 0..3 {
        shop.show_order(id).await;
    }
    // The tasks end just after the answers; each look at the health lets them run.
    while health(&shop).await["prices_held"] != 0 {}
    shop.close().await;
}
