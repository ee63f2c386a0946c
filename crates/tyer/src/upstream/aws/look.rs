//! The consequences of a request, asked of AWS with Tyer's own credentials: bounded in time, and only reading.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tyer_core::facts::Facts;
use tyer_core::intent::{Acts, Principal};
use tyer_wire::aws::decode::Decoded;
use tyer_wire::aws::facts::{Found, Question, decided, decides, questions, told};
use tyer_wire::aws::tags::Tag;
use tyer_wire::aws::understand::Terms;

use super::{Cloud, Credentials};
use crate::clock;
use crate::upstream::Gathered;

/// How long all questions together may take.
const FACTS_WAIT: Duration = Duration::from_secs(3);

/// A request about whose consequences AWS can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub(crate) decoded: Arc<Decoded>,
    /// The account, by the operator's name.
    pub(crate) account: String,
    pub(crate) principal: Principal,
}

impl Cloud {
    /// What the request does, after AWS was asked if that decides it; then with the tags that it told of.
    pub(crate) async fn decided(
        self: &Arc<Self>,
        asked: &Looked,
        acts: Acts,
    ) -> (Acts, Option<Vec<Tag>>) {
        if !decides(&asked.decoded) {
            return (acts, None);
        }
        let found = self.look(asked).await;
        let found: Vec<Found> = found.into_iter().flat_map(|(_, found)| found).collect();
        let owner = self.config.owner(&asked.account, &asked.decoded.region);
        let terms = Terms { owner, environment_tags: &self.config.environment_tags };
        let acts = decided((&asked.decoded, &terms), &acts, &found);
        (acts, Some(tags(found)))
    }

    /// The tags of what the request is about, as far as AWS says them in time.
    pub(crate) async fn tags(self: &Arc<Self>, asked: &Looked) -> Vec<Tag> {
        tags(self.look(asked).await.into_iter().flat_map(|(_, found)| found))
    }

    /// What AWS says of the consequences; never fails, says what stayed unknown.
    pub(crate) async fn facts(self: &Arc<Self>, asked: &Looked) -> Gathered {
        let (things, unknown) = told(&self.look(asked).await);
        let is_partial = !unknown.is_empty();
        Gathered { facts: Facts { things, unknown, ..Facts::default() }, is_partial }
    }

    async fn look(self: &Arc<Self>, asked: &Looked) -> Vec<(String, Vec<Found>)> {
        let region = &asked.decoded.region;
        let owner = self.config.owner(&asked.account, region);
        let questions = questions(&asked.decoded, owner, clock::now());
        if questions.is_empty() {
            return Vec::new();
        }
        let credentials = match self.credentials(&asked.account, &asked.principal).await {
            Ok(credentials) => credentials,
            Err(error) => {
                tracing::warn!(%error, "AWS could not be asked about consequences");
                return unknown(&questions, "AWS could not be asked");
            }
        };
        let mut answers = JoinSet::new();
        let mut found: Vec<Option<(String, Vec<Found>)>> =
            unknown(&questions, "AWS took too long to answer").into_iter().map(Some).collect();
        for (place, question) in questions.into_iter().enumerate() {
            let (cloud, region, credentials) = (Arc::clone(self), region.clone(), credentials.clone());
            answers.spawn(async move {
                let about = question.about().to_owned();
                (place, (about, cloud.answer(question, &region, &credentials).await))
            });
        }
        let until = tokio::time::Instant::now() + FACTS_WAIT;
        while let Ok(Some(answer)) = tokio::time::timeout_at(until, answers.join_next()).await {
            let Ok((place, answer)) = answer else { continue };
            if let Some(found) = found.get_mut(place) {
                *found = Some(answer);
            }
        }
        found.into_iter().flatten().collect()
    }

    /// The answer to a question, and to those that it leads to.
    async fn answer(&self, question: Question, region: &str, credentials: &Credentials) -> Vec<Found> {
        let (mut all, mut next) = (Vec::new(), vec![question]);
        while let Some(question) = next.pop() {
            let request = (question.head.clone(), question.body.clone());
            let found = match self.ask(question.service, region, request, credentials).await {
                Ok(answer) => question.read(&answer),
                Err(error) => {
                    tracing::info!(%error, "AWS did not answer a question about consequences");
                    vec![Found::Unknown("AWS did not answer, or Tyer may not ask".to_owned())]
                }
            };
            for it in found {
                match it {
                    Found::More(question) => next.push(*question),
                    it => all.push(it),
                }
            }
        }
        all
    }
}

fn tags(found: impl IntoIterator<Item = Found>) -> Vec<Tag> {
    let tag = |it| match it {
        Found::Tag(tag) => Some(tag),
        _ => None,
    };
    found.into_iter().filter_map(tag).collect()
}

fn unknown(questions: &[Question], why: &str) -> Vec<(String, Vec<Found>)> {
    let not = || vec![Found::Unknown(why.to_owned())];
    questions.iter().map(|question| (question.about().to_owned(), not())).collect()
}
