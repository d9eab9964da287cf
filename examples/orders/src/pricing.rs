//! The price of an order.
//!
//! A shop with sense would keep the parsed price list; this one parses it for each order, so that a
//! CPU profile has something to show that everybody has seen in a real one.

use serde::Deserialize;

use crate::order::Line;
use crate::problem::Problem;

const PRICE_LIST: &str = include_str!("price-list.json");

#[derive(Deserialize)]
struct Article<'a> {
    sku: &'a str,
    cents: u64,
    /// From this quantity on the line is cheaper.
    bulk_from: u32,
    bulk_percent: u64,
}

/// The sum of all lines, in cents.
#[inline(never)]
pub(crate) fn price_order(lines: &[Line]) -> Result<u64, Problem> {
    let articles = parse_price_list()?;
    lines.iter().try_fold(0, |sum: u64, line| {
        let article = articles.iter().find(|article| article.sku == line.sku);
        let Some(article) = article else {
            return Err(Problem::refused(format!(
                "there is no article {:?}",
                line.sku
            )));
        };
        // At most 100 lines of 2^32 pieces: far from the end of 64 bits.
        Ok(sum + price_line(article, line.quantity))
    })
}

#[inline(never)]
fn parse_price_list() -> Result<Vec<Article<'static>>, Problem> {
    serde_json::from_str(PRICE_LIST).map_err(|_| Problem::internal("the price list is damaged"))
}

fn price_line(article: &Article<'_>, quantity: u32) -> u64 {
    let full = article.cents * u64::from(quantity);
    if quantity < article.bulk_from {
        return full;
    }
    full - full / 100 * article.bulk_percent
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: u32) -> Line {
        Line {
            sku: sku.to_owned(),
            quantity,
        }
    }

    #[test]
    fn a_single_piece_costs_what_the_list_says_and_many_cost_less_each() {
        let one = price_order(&[line("teapot", 1)]).unwrap();
        assert_eq!(one, 900);
        let ten = price_order(&[line("teapot", 10)]).unwrap();
        assert_eq!(ten, 8_550, "5 percent off from 10 pieces on");
    }

    #[test]
    fn the_largest_order_does_not_overflow() {
        let lines = vec![line("teapot", u32::MAX); 100];
        assert!(price_order(&lines).unwrap() > u64::from(u32::MAX));
    }
}
