//! The profiles on this machine, and which one the user means.

use std::fs;
use std::io;
use std::path::Path;

use super::{KEY_FILE, PROFILES, Profile, ProfileError, file, quoted_for_shell};
use crate::model::name::{Name, folded, quoted};
use crate::settings::{Misused, NameSource, Settings};

/// The database of `store`, which has the same constant.
const HISTORY_FILE: &str = "history.db";

/// How similar two names have to be (1 is equal) for a suggestion. Mistyped settings use the same
/// value.
const SIMILAR: f64 = 0.8;

/// Profiles that a sentence lists, at most.
const MAX_LISTED: usize = 20;

/// A profile on the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredProfile {
    /// Its directory.
    pub profile: Profile,
    /// Its current name.
    pub name: Name,
    /// The port to listen at, if it has listened before.
    pub port: Option<u16>,
    former_names: Vec<String>,
}

impl StoredProfile {
    /// Returns its name, and its directory if that has another name.
    pub fn label(&self) -> String {
        if self.profile == Profile::from(&self.name) {
            return self.name.to_string();
        }
        format!("{} (profile {})", self.name, self.profile)
    }

    fn is_called(&self, name: &str) -> bool {
        folded(self.name.as_str()) == folded(name)
    }

    /// Whether it once had this name, or its directory has it.
    fn was_called(&self, name: &Name) -> bool {
        let wanted = folded(name.as_str());
        let directory = self.profile.text();
        self.former_names.iter().chain(&directory).any(|former| folded(former) == wanted)
            || self.profile == Profile::from(name)
    }
}

/// All profiles on the disk.
#[derive(Debug, Default)]
pub struct Profiles {
    found: Vec<StoredProfile>,
    damaged: Vec<Damaged>,
}

/// A profile whose name is unknown.
#[derive(Debug)]
pub struct Damaged {
    /// Its directory.
    pub profile: Profile,
    /// A sentence that says why.
    pub why: String,
    /// Whether only the name is missing, so that `--name` helps.
    pub nameless: bool,
}

/// The profile that has a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// This one.
    Known(StoredProfile),
    /// None. Holds the most similar name, if one is similar.
    Unknown(Option<Name>),
}

impl Profiles {
    /// Reads the profiles in the data directory. Without a data directory there are none.
    pub fn read(settings: &Settings) -> Result<Self, ProfileError> {
        let Some(data) = settings.data_directory() else { return Ok(Self::default()) };
        Self::in_folder(&data.join(PROFILES))
    }

    pub(super) fn in_folder(folder: &Path) -> Result<Self, ProfileError> {
        let mut all = Self::default();
        let entries = match fs::read_dir(folder) {
            Err(error)
                if matches!(
                    error.kind(),
                    // `Identity::open` reports a directory that cannot be read.
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
                ) =>
            {
                return Ok(all);
            }
            entries => entries.map_err(|error| ProfileError::Io(folder.to_owned(), error))?,
        };
        for entry in entries.flatten() {
            // Directories that p2p-chat creates have ASCII names.
            if let Ok(directory) = entry.file_name().into_string()
                && is_profile(&entry.path())
            {
                all.add(Profile::in_directory(&directory), &entry.path());
            }
        }
        all.found
            .sort_by_cached_key(|found| (folded(found.name.as_str()), found.profile.directory().to_owned()));
        all.damaged.sort_by(|one, other| one.profile.directory().cmp(other.profile.directory()));
        Ok(all)
    }

    fn add(&mut self, profile: Profile, folder: &Path) {
        match file::read(folder) {
            Err(error) => {
                let why = error.to_string();
                self.damaged.push(Damaged { profile, why, nameless: false });
            }
            Ok(file) => match file.name.or_else(|| profile.default_name()) {
                Some(name) => {
                    let (port, former_names) = (file.port, file.former_names);
                    self.found.push(StoredProfile { profile, name, port, former_names });
                }
                None => {
                    let why = format!(
                        "The profile {profile} has no name yet; start it once with --profile {profile} --name NAME."
                    );
                    self.damaged.push(Damaged { profile, why, nameless: true });
                }
            },
        }
    }

    /// The profiles, sorted by name.
    pub fn all(&self) -> &[StoredProfile] {
        &self.found
    }

    /// Profiles whose name is unknown.
    pub fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    /// Whether there is no profile at all, damaged ones included.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.damaged.is_empty()
    }

    /// Returns the profile in a directory, or `None` if there is none. If the profile has no name
    /// yet, it gets `name`.
    ///
    /// # Errors
    /// If its name is unknown.
    pub fn at(&self, profile: &Profile, name: Option<&Name>) -> Result<Option<StoredProfile>, Misused> {
        if let Some(found) = self.found.iter().find(|found| found.profile == *profile) {
            return Ok(Some(found.clone()));
        }
        let Some(damaged) = self.damaged.iter().find(|damaged| damaged.profile == *profile) else {
            return Ok(None);
        };
        match name.filter(|_| damaged.nameless) {
            Some(name) => {
                let (profile, name) = (profile.clone(), name.clone());
                Ok(Some(StoredProfile { profile, name, port: None, former_names: Vec::new() }))
            }
            None => Err(Misused::new(&damaged.why)),
        }
    }

    /// Returns the profiles with this name. There are several only if a profile.toml was edited or
    /// copied by hand.
    pub fn called(&self, name: &Name) -> Vec<&StoredProfile> {
        self.found.iter().filter(|found| found.is_called(name.as_str())).collect()
    }

    /// Returns a profile that had this name once.
    pub fn once_called(&self, name: &Name) -> Option<&StoredProfile> {
        self.found.iter().find(|found| found.was_called(name))
    }

    /// Checks that `profile`, or a new profile, can have this name. A profile can always keep the
    /// name it has.
    ///
    /// # Errors
    /// If another profile has the name.
    pub fn check_free(&self, name: &Name, profile: Option<&Profile>) -> Result<(), ProfileError> {
        let called = self.called(name);
        if called.is_empty() || called.iter().any(|found| Some(&found.profile) == profile) {
            return Ok(());
        }
        Err(ProfileError::Taken(name.clone()))
    }

    /// Checks that a new profile can be created.
    ///
    /// # Errors
    /// If a profile.toml contains a mistake: it may hold the name of the new profile.
    pub fn check_new(&self) -> Result<(), Misused> {
        match self.damaged.iter().find(|damaged| !damaged.nameless) {
            Some(damaged) => Err(Misused::new(&damaged.why)),
            None => Ok(()),
        }
    }

    /// Returns the profile with this name. `source` is where the name was given.
    ///
    /// # Errors
    /// If several profiles have the name. If no profile has it, but one had it before or the name
    /// of one is unknown.
    pub fn named(&self, name: &Name, source: &NameSource) -> Result<Named, Misused> {
        match self.called(name)[..] {
            [] => {}
            [one] => return Ok(Named::Known(one.clone())),
            ref several => {
                return Err(Misused::new(format!(
                    "Several profiles are called {name}: {}. Choose one with --profile PROFILE.",
                    listed(several.iter().map(|found| found.profile.to_string()))
                )));
            }
        }
        if let Some(found) = self.once_called(name) {
            let now = &found.name;
            let advice = match source {
                NameSource::Flag => format!("Use --name {now}, or"),
                NameSource::Variable => format!("Set P2P_CHAT_NAME to {now}, or use"),
                NameSource::File(path) => format!("Change `name` in {} to {now}, or use", path.display()),
            };
            return Err(Misused::new(format!(
                "{name} is now {now}. {advice} --profile NEW for another identity."
            )));
        }
        if let Some(damaged) = self.damaged.first() {
            return Err(Misused::new(&damaged.why));
        }
        Ok(Named::Unknown(self.similar(name)))
    }

    /// Returns the profile for a command that creates none: the one that `--profile` or `--name`
    /// says, or the only one.
    ///
    /// # Errors
    /// If there is no such profile, or there are several and the user named none.
    pub fn existing(&self, settings: &Settings) -> Result<StoredProfile, Misused> {
        if self.is_empty() {
            return Err(no_profile(settings.name.as_ref()));
        }
        if let Some(profile) = &settings.profile {
            return self.at(profile, settings.name.as_ref())?.ok_or_else(|| {
                let unknown = quoted(&profile.to_string());
                Misused::new(format!("There is no profile {unknown}. {}", self.sentence()))
            });
        }
        let Some(name) = &settings.name else {
            return self.only()?.ok_or_else(|| self.several());
        };
        match self.named(name, &settings.name_source)? {
            Named::Known(found) => Ok(found),
            Named::Unknown(similar) => {
                let similar = similar.map_or_else(String::new, |similar| format!(" Did you mean {similar}?"));
                Err(Misused::new(format!("No profile is called {name}.{similar} {}", self.sentence())))
            }
        }
    }

    /// Returns the only profile, or `None` if there are several or none.
    pub fn only(&self) -> Result<Option<StoredProfile>, Misused> {
        match (&self.found[..], &self.damaged[..]) {
            ([found], []) => Ok(Some(found.clone())),
            ([], [damaged]) => Err(Misused::new(&damaged.why)),
            _ => Ok(None),
        }
    }

    /// Returns the error for a start that names none of several profiles.
    pub fn several(&self) -> Misused {
        // Profiles with the same name are neighbours: they are sorted by name.
        let has_namesakes = self.found.windows(2).any(|pair| pair[0].is_called(pair[1].name.as_str()));
        let or = if has_namesakes { " or --profile PROFILE" } else { "" };
        Misused::new(format!("{} Choose one with --name NAME{or}.", self.sentence()))
    }

    /// Returns a sentence that lists the profiles.
    fn sentence(&self) -> String {
        let found = self.found.iter().map(StoredProfile::label);
        let damaged = self.damaged.iter().map(|damaged| format!("profile {} (damaged)", damaged.profile));
        format!("The profiles are: {}.", listed(found.chain(damaged)))
    }

    /// Returns the most similar profile name, if `name` may be a mistyped form of it.
    pub fn similar(&self, name: &Name) -> Option<Name> {
        let wanted = folded(name.as_str());
        let similarity = |found: &&StoredProfile| strsim::jaro_winkler(&folded(found.name.as_str()), &wanted);
        let nearest = self.found.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)))?;
        (similarity(&nearest) >= SIMILAR).then(|| nearest.name.clone())
    }
}

/// Joins names with commas, at most [`MAX_LISTED`] of them.
fn listed(labels: impl Iterator<Item = String>) -> String {
    let mut labels: Vec<String> = labels.collect();
    let more = labels.len().saturating_sub(MAX_LISTED);
    labels.truncate(MAX_LISTED);
    let labels = labels.join(", ");
    if more > 0 { format!("{labels} and {more} more") } else { labels }
}

/// Whether a directory is a profile. A directory with a name or messages but no key is one, too:
/// its key was moved away.
fn is_profile(folder: &Path) -> bool {
    [KEY_FILE, file::PROFILE_FILE, HISTORY_FILE]
        .iter()
        .any(|name| fs::symlink_metadata(folder.join(name)).is_ok())
}

/// Renames the profile in this directory.
///
/// # Errors
/// If another profile has the name, or it cannot be stored. The old name stays then.
pub fn rename(folder: &Path, name: &Name) -> Result<(), ProfileError> {
    let profiles = folder.parent().map_or_else(|| Ok(Profiles::default()), Profiles::in_folder)?;
    let own = folder.file_name().and_then(|own| own.to_str()).map(Profile::in_directory);
    profiles.check_free(name, own.as_ref())?;
    file::save_name(folder, name)
}

/// Returns the new profile that `--profile` says, or else the one for `name`.
pub(crate) fn new_profile(settings: &Settings, name: &Name) -> Profile {
    settings.profile.clone().unwrap_or_else(|| Profile::from(name))
}

/// Returns the sentence that there is no profile yet, and how to create one with the name that the
/// user gave.
fn no_profile(name: Option<&Name>) -> Misused {
    let name = name.map(|name| quoted_for_shell(Path::new(name.as_str())));
    let start =
        name.as_ref().map_or_else(|| "p2p-chat".to_owned(), |name| format!("`p2p-chat --name {name}`"));
    let name = name.as_deref().unwrap_or("NAME");
    Misused::new(format!(
        "There is no profile yet; start {start}, or create one with `p2p-chat id --new --name {name}`."
    ))
}

#[cfg(test)]
mod tests;
