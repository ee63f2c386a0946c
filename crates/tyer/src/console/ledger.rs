//! The ledger: its newest leaves, one leaf in full, and what verifying it found.

use maud::{Markup, html};

use super::escape::{Block, Line};
use super::words;
use crate::api::bodies::{HeadBody, LeafBody, VerifyBody};

/// The pages back and forth through the ledger.
pub(super) struct Window {
    /// The first leaf shown.
    pub(super) from: u64,
    pub(super) count: u64,
}

pub(super) fn main(
    head: &HeadBody,
    leaves: &[LeafBody],
    window: &Window,
    report: Option<&VerifyBody>,
) -> Markup {
    let older = window.from.saturating_sub(window.count);
    let newer = window.from.saturating_add(window.count);
    html! {
        main #main tabindex="-1" {
            h1 { "Ledger of " (words::counted(head.size, "leaf", "leaves")) }
            @if let Some(root) = &head.root { p { "Root " code.wrap { (root) } } }
            form method="get" action="/ledger" {
                input type="hidden" name="verify" value="1";
                button #verify type="submit" { "Verify the whole ledger" }
            }
            @if let Some(report) = report { (verified(report)) }
            ol.leaves reversed {
                @for leaf in leaves.iter().rev() {
                    li {
                        a.index href={ "/ledger/" (leaf.index) } { (leaf.index) }
                        span.kind { (Line(&leaf.kind.replace('_', " "))) }
                        @if let Some(at) = leaf.at { (words::civil(at)) }
                        p { (Line(&leaf.words)) }
                    }
                }
            }
            nav.pager aria-label="Older and newer leaves" {
                @if window.from > 0 { a href={ "/ledger?from=" (older) } { "Older" } }
                @if newer < head.size { a href={ "/ledger?from=" (newer) } { "Newer" } }
            }
            @if let Some(checkpoint) = &head.checkpoint {
                details #checkpoint {
                    summary { "Newest checkpoint" }
                    p.quiet { "Keep it elsewhere: with it, anybody can show later whether this past was rewritten." }
                    pre.request tabindex="0" { (Block(checkpoint)) }
                }
            }
        }
    }
}

fn verified(report: &VerifyBody) -> Markup {
    html! {
        section #verify-result.report.bad[!report.clean] aria-label="Verification" {
            h2 { @if report.clean { "Nothing wrong was found" } @else { "Something is wrong" } }
            p {
                (words::counted(report.size, "leaf", "leaves")) " and "
                (words::counted(report.signatures, "signature of a person", "signatures of people")) " were checked."
            }
            p { (sentence(&report.proves)) }
            @if !report.findings.is_empty() {
                ul {
                    @for finding in &report.findings {
                        li { @if let Some(leaf) = finding.leaf { "Leaf " (leaf) ": " } (Line(&finding.what)) }
                    }
                }
            }
            @if report.more > 0 { p { "And " (report.more) " more." } }
            @if !report.unsettled.is_empty() {
                p {
                    "Without an outcome so far: leaf "
                    @for (at, leaf) in report.unsettled.iter().enumerate() {
                        @if at > 0 { ", " }
                        a href={ "/ledger/" (leaf) } { (leaf) }
                    }
                }
            }
        }
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first =
        letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let rest = letters.as_str();
    if rest.ends_with('.') { format!("{first}{rest}") } else { format!("{first}{rest}.") }
}

pub(super) fn leaf(leaf: &LeafBody) -> Markup {
    let pretty = serde_json::to_string_pretty(&leaf.leaf).unwrap_or_default();
    html! {
        main #main tabindex="-1" {
            p { a href="/ledger" { "Ledger" } }
            h1 { "Leaf " (leaf.index) }
            p.what { (Line(&leaf.words)) }
            dl.facts {
                div { dt { "Kind" } dd { (Line(&leaf.kind.replace('_', " "))) } }
                @if let Some(at) = leaf.at { div { dt { "At" } dd { (words::civil(at)) } } }
            }
            h2 { "The leaf" }
            pre.request tabindex="0" aria-label="The leaf" { (Block(&pretty)) }
            p {
                a href={ "/api/v1/ledger/" (leaf.index) "/receipt" } { "Receipt" }
                ": proves to somebody without the ledger that this leaf is in it. "
                a href={ "/api/v1/ledger/" (leaf.index) "/receipt?reveal=1" } { "Receipt with the full text" }
                ", for leaves that carry a request."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_report_says_how_little_it_proves() {
        let report = VerifyBody {
            clean: true,
            origin: "tyer.example.com".to_owned(),
            size: 3,
            root: "00".repeat(32),
            findings: Vec::new(),
            more: 0,
            proves: tyer_core::ledger::verify::Proves::SelfConsistencyOnly.to_string(),
            signatures: 1,
            unsettled: vec![2],
        };
        let page = verified(&report).into_string();
        assert!(page.contains("self-consistency only."), "{page}");
        assert!(page.contains("href=\"/ledger/2\""));
    }

    #[test]
    fn sentences_begin_and_end() {
        assert_eq!(sentence("this proves little"), "This proves little.");
        assert_eq!(sentence("This."), "This.");
        assert_eq!(sentence(""), ".");
    }
}
