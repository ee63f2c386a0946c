//! The one command of the project. `./dev` builds this test along with the programs: with a test among its targets
//! cargo takes the features that tests want, so that nothing is compiled again for them.

use std::path::Path;
use std::process::Command;

#[test]
fn every_command_is_told_of_and_every_one_told_of_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the root");
    let help = Command::new(root.join("dev")).arg("help").output().expect("./dev help");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let is_told = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let mut told: Vec<&str> =
        help.lines().filter(is_told).filter_map(|line| line.split_whitespace().next()).collect();
    let text = std::fs::read_to_string(root.join("dev")).expect("the script");
    let (_, cases) = text.rsplit_once("case \"$command\" in\n").expect("the commands");
    let names = cases.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(')'));
    let is_name = |name: &&str| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    let mut there: Vec<&str> = names.map(|(name, _)| name).filter(is_name).collect();
    told.sort_unstable();
    there.sort_unstable();
    assert_eq!(told, there);
    assert!(told.contains(&"demo"), "{help}");
}
