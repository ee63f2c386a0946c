//! What AWS is asked before people are, and what several requests come to.

use serde_json::Value;
use xtask::instance::{AwsLogin, Shape};

use super::client::Call;
use super::real::Says;
use super::{Desk, hold, open};

const OF: &str = "arn:aws:rds:us-east-1:123456789012:db:costs";

pub(super) fn delete_stack() -> Call {
    Call::query("cloudformation", "Action=DeleteStack&Version=2010-05-15&StackName=ce")
}

pub(super) fn create_stack() -> Call {
    let form = "Action=CreateStack&Version=2010-05-15&StackName=ce&TemplateBody=%7B%7D";
    Call::query("cloudformation", form)
}

fn execute() -> Call {
    let form = "Action=ExecuteChangeSet&Version=2010-05-15&StackName=ce&ChangeSetName=fix";
    Call::query("cloudformation", form)
}

fn stack(kinds: &[(&str, &str)]) -> Says {
    let one = |(kind, name): &(&str, &str)| {
        format!(
            "<member><ResourceType>{kind}</ResourceType><PhysicalResourceId>{name}</PhysicalResourceId></member>"
        )
    };
    let all: String = kinds.iter().map(one).collect();
    Says::Script(vec![
        (
            "DescribeStacks",
            "<R><Stacks><member><StackStatus>CREATE_COMPLETE</StackStatus></member></Stacks></R>"
                .to_owned(),
        ),
        (
            "ListStackResources",
            format!("<R><StackResourceSummaries>{all}</StackResourceSummaries></R>"),
        ),
    ])
}

fn change_set(replacement: &str) -> Says {
    let set = format!(
        "<R><Status>CREATE_COMPLETE</Status><Changes><member><ResourceChange><Action>Modify</Action>\
         <Replacement>{replacement}</Replacement><ResourceType>AWS::RDS::DBInstance</ResourceType>\
         <LogicalResourceId>CostStore</LogicalResourceId><PhysicalResourceId>costs</PhysicalResourceId><Details><member><Target><Attribute>Properties</Attribute>\
         <Name>AllocatedStorage</Name></Target></member></Details>\
         </ResourceChange></member></Changes></R>"
    );
    Says::Script(vec![("DescribeChangeSet", set)])
}

/// Everything but what is dangerous needs nobody, that two people.
fn dangerous() -> Shape {
    let text = "@id(\"most\") permit (principal, action, resource);
         @id(\"dangerous\") forbid (principal, action in Action::\"dangerous\", resource)
         unless { context.approvals.peers >= 2 };"
        .to_owned();
    Shape { policy: "files = [\"own.cedar\"]", files: vec![("own.cedar", text)], ..Shape::default() }
}

impl Desk {
    async fn card(&mut self, id: &str) -> Value {
        let (_, hold) = self.alice.http().get(&format!("/api/v1/holds/{id}")).await.expect("an answer");
        hold
    }

    async fn agree(&mut self, id: &str) {
        self.alice.approve(id).await.expect("alice agrees");
        self.bob.approve(id).await.expect("bob agrees");
    }

    /// A first card says what could follow, and that nothing was seen; the command line does too.
    fn announces(&self, id: &str, card: &Value) {
        let risk = card["facts"]["risk"].as_str().expect("a risk");
        let name = "stack/ce/* is made anew afterwards, what goes now does not come back";
        assert!(risk.starts_with("If object:arn:aws:cloudformation:") && risk.contains(name), "{risk}");
        assert_eq!(card["facts"]["sequences"], serde_json::json!([]), "nothing was seen");
        let shown = self.tyer.run(&["show", id]).expect("the card");
        assert!(shown.contains(&format!("risk       {risk}")), "{shown}");
    }

    /// What the last request that was cleared came to.
    pub(super) fn came_to(&self) -> String {
        let cleared = self.leaves("cleared");
        cleared.last().map(|leaf| leaf["request"]["facts"]["sequences"].to_string()).unwrap_or_default()
    }
}

async fn refused(call: &Call, login: &AwsLogin) -> String {
    let answer = call.send(login).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    hold(&answer)
}

#[tokio::test]
async fn a_stack_is_deleted_only_as_people_saw_it() {
    let mut desk = Desk::new(&dangerous()).await;
    let login = desk.session(&[]);
    desk.service.says(stack(&[("AWS::RDS::DBInstance", "costs"), ("AWS::Lambda::Function", "api")]));
    let id = refused(&delete_stack(), &login).await;
    let card = desk.card(&id).await;
    let things = card["facts"]["things"].to_string();
    assert!(
        things.contains("1 AWS::RDS::DBInstance, which holds what does not come back: costs"),
        "{things}"
    );
    assert!(things.contains("it is not protected from being deleted"), "{things}");
    desk.announces(&id, &card);
    desk.agree(&id).await;
    desk.service.says(stack(&[("AWS::RDS::DBInstance", "costs"), ("AWS::S3::Bucket", "ce")]));
    let other = refused(&delete_stack(), &login).await;
    assert_ne!(other, id, "it is about something else by now");
    let differences = desk.card(&other).await["facts"]["differences"].to_string();
    assert!(differences.contains("by now 1 AWS::S3::Bucket"), "{differences}");
    desk.agree(&other).await;
    assert_eq!(delete_stack().send(&login).await.status, 200);
    let sent = desk.service.seen();
    let deletes =
        sent.iter().filter(|seen| String::from_utf8_lossy(&seen.body).contains("DeleteStack"));
    assert_eq!(deletes.count(), 1);
    desk.verify();
}

#[tokio::test]
async fn a_change_set_is_what_it_would_do() {
    let mut desk = Desk::new(&dangerous()).await;
    let login = desk.session(&[]);
    desk.service.says(change_set("False"));
    assert_eq!(execute().send(&login).await.status, 200, "in place it is a change");
    desk.service.says(change_set("True"));
    let id = refused(&execute(), &login).await;
    let card = desk.card(&id).await;
    assert!(card["acts"].to_string().contains("replaces CostStore"), "{}", card["acts"]);
    desk.service.says(Says::Script(Vec::new()));
    refused(&execute(), &login).await;
    desk.verify();
}

#[tokio::test]
async fn sessions_of_one_person_that_delete_and_recreate_are_told_so() {
    let desk = Desk::new(&open()).await;
    desk.service.says(stack(&[]));
    let first = desk.session(&[]);
    assert_eq!(delete_stack().send(&first).await.status, 200);
    desk.tyer.run(&["session", "end", &first.session]).expect("an end");
    let bobs = desk.tyer.aws_session("kiro", "bob", &[]).expect("a session");
    assert_eq!(create_stack().send(&bobs).await.status, 200);
    assert!(!desk.came_to().contains("recreate"), "{}", desk.came_to());
    assert_eq!(create_stack().send(&desk.session(&[])).await.status, 200);
    assert!(desk.came_to().contains("recreate"), "{}", desk.came_to());
    desk.verify();
}

#[tokio::test]
async fn whoever_removed_the_last_snapshot_does_not_delete_the_database() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let snapshot = "<R><DBSnapshots><DBSnapshot><DBSnapshotIdentifier>s-1</DBSnapshotIdentifier>\
                    <DBInstanceIdentifier>costs</DBInstanceIdentifier></DBSnapshot></DBSnapshots></R>";
    desk.service.says(Says::Script(vec![("DescribeDBSnapshots", snapshot.to_owned())]));
    let delete = "Action=DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=s-1";
    let answer = Call::query("rds", delete).send(&login).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let delete = "Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=costs";
    let skipped =
        Call::query("rds", &format!("{delete}&SkipFinalSnapshot=true&DeleteAutomatedBackups=false"));
    let answer = skipped.send(&desk.session(&[])).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains(&format!("the last known backup of object:{OF}")), "{}", answer.body);
    let copied = Call::query("rds", &format!("{delete}&FinalDBSnapshotIdentifier=f"));
    let answer = copied.send(&desk.session(&[])).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    desk.verify();
}

#[tokio::test]
async fn whoever_deleted_the_database_does_not_remove_its_last_snapshot() {
    let desk = Desk::new(&open()).await;
    desk.service.says(Says::Script(Vec::new()));
    let delete = "Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=Costs";
    let copied = Call::query("rds", &format!("{delete}&FinalDBSnapshotIdentifier=F"));
    let answer = copied.send(&desk.session(&[])).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let delete = "Action=DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=f";
    let answer = Call::query("rds", delete).send(&desk.session(&[])).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let why = format!("object:{OF} was destroyed by a session of carol");
    assert!(answer.body.contains(&why), "{}", answer.body);
    let bobs = desk.tyer.aws_session("kiro", "bob", &[]).expect("a session");
    let answer = Call::query("rds", delete).send(&bobs).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    desk.verify();
}

#[tokio::test]
async fn a_backup_about_which_aws_does_not_answer_may_be_the_last_of_anything() {
    let desk = Desk::new(&open()).await;
    desk.service.says(Says::Script(Vec::new()));
    let delete = "Action=DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=s-1";
    let answer = Call::query("rds", delete).send(&desk.session(&[])).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let delete = "Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=costs\
                  &SkipFinalSnapshot=true&DeleteAutomatedBackups=false";
    let answer = Call::query("rds", delete).send(&desk.session(&[])).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(desk.came_to().contains("backup_then_destroy"), "{}", desk.came_to());
    desk.verify();
}
